; Blocksworld with four operators: one arm moves one block at a time between the table and towers.
(define (domain blocksworld)
  (:requirements :strips)
  (:predicates
    (arm-empty)
    (holding ?block)
    (on ?block ?base)
    (on-table ?block)
    (clear ?block))

  (:action pickup
    :parameters (?block)
    :precondition (and (arm-empty) (on-table ?block) (clear ?block))
    :effect (and (holding ?block) (not (arm-empty)) (not (on-table ?block)) (not (clear ?block))))

  (:action putdown
    :parameters (?block)
    :precondition (holding ?block)
    :effect (and (arm-empty) (on-table ?block) (clear ?block) (not (holding ?block))))

  (:action stack
    :parameters (?block ?base)
    :precondition (and (holding ?block) (clear ?base))
    :effect (and (arm-empty) (on ?block ?base) (clear ?block) (not (holding ?block)) (not (clear ?base))))

  (:action unstack
    :parameters (?block ?base)
    :precondition (and (arm-empty) (on ?block ?base) (clear ?block))
    :effect (and (holding ?block) (clear ?base) (not (arm-empty)) (not (on ?block ?base)) (not (clear ?block)))))
