; Gripper: a robot with two grippers carries balls between rooms.
; Names of predicates and actions are those of the planning competition of 1998; here rooms, balls and grippers are types.
(define (domain gripper)
  (:requirements :strips :typing)
  (:types room ball gripper)
  (:predicates
    (at-robby ?place - room)
    (at ?ball - ball ?place - room)
    (free ?hand - gripper)
    (carry ?ball - ball ?hand - gripper))

  (:action move
    :parameters (?from ?to - room)
    :precondition (at-robby ?from)
    :effect (and (not (at-robby ?from)) (at-robby ?to)))

  (:action pick
    :parameters (?ball - ball ?place - room ?hand - gripper)
    :precondition (and (at-robby ?place) (at ?ball ?place) (free ?hand))
    :effect (and (carry ?ball ?hand) (not (at ?ball ?place)) (not (free ?hand))))

  (:action drop
    :parameters (?ball - ball ?place - room ?hand - gripper)
    :precondition (and (at-robby ?place) (carry ?ball ?hand))
    :effect (and (at ?ball ?place) (free ?hand) (not (carry ?ball ?hand)))))
