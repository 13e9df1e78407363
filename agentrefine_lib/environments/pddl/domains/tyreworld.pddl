; Tyreworld: change wheels with the tools from the boot of a car (Russell's domain, one set of nuts for each hub).
(define (domain tyreworld)
  (:requirements :strips :typing)
  (:types
    obj hub container - object
    tool wheel nut - obj)
  (:constants wrench jack pump - tool)
  (:predicates
    (unlocked ?box - container)
    (closed ?box - container)
    (isopen ?box - container)
    (in ?thing - obj ?box - container)
    (have ?thing - obj)
    (tight ?nuts - nut ?hub - hub)
    (loose ?nuts - nut ?hub - hub)
    (fastened ?hub - hub)
    (unfastened ?hub - hub)
    (on-ground ?hub - hub)
    (not-on-ground ?hub - hub)
    (on ?wheel - wheel ?hub - hub)
    (free ?hub - hub)
    (intact ?wheel - wheel)
    (inflated ?wheel - wheel)
    (not-inflated ?wheel - wheel))

  (:action open
    :parameters (?box - container)
    :precondition (and (unlocked ?box) (closed ?box))
    :effect (and (isopen ?box) (not (closed ?box))))

  (:action close
    :parameters (?box - container)
    :precondition (isopen ?box)
    :effect (and (closed ?box) (not (isopen ?box))))

  (:action fetch
    :parameters (?thing - obj ?box - container)
    :precondition (and (isopen ?box) (in ?thing ?box))
    :effect (and (have ?thing) (not (in ?thing ?box))))

  (:action put-away
    :parameters (?thing - obj ?box - container)
    :precondition (and (isopen ?box) (have ?thing))
    :effect (and (in ?thing ?box) (not (have ?thing))))

  (:action loosen
    :parameters (?nuts - nut ?hub - hub)
    :precondition (and (have wrench) (on-ground ?hub) (tight ?nuts ?hub))
    :effect (and (loose ?nuts ?hub) (not (tight ?nuts ?hub))))

  (:action tighten
    :parameters (?nuts - nut ?hub - hub)
    :precondition (and (have wrench) (on-ground ?hub) (loose ?nuts ?hub))
    :effect (and (tight ?nuts ?hub) (not (loose ?nuts ?hub))))

  (:action jack-up ; the jack stays under the hub
    :parameters (?hub - hub)
    :precondition (and (have jack) (on-ground ?hub))
    :effect (and (not-on-ground ?hub) (not (on-ground ?hub)) (not (have jack))))

  (:action jack-down
    :parameters (?hub - hub)
    :precondition (not-on-ground ?hub)
    :effect (and (on-ground ?hub) (have jack) (not (not-on-ground ?hub))))

  (:action undo
    :parameters (?nuts - nut ?hub - hub)
    :precondition (and (have wrench) (not-on-ground ?hub) (fastened ?hub) (loose ?nuts ?hub))
    :effect (and (have ?nuts) (unfastened ?hub) (not (fastened ?hub)) (not (loose ?nuts ?hub))))

  (:action do-up
    :parameters (?nuts - nut ?hub - hub)
    :precondition (and (have wrench) (have ?nuts) (not-on-ground ?hub) (unfastened ?hub))
    :effect (and (loose ?nuts ?hub) (fastened ?hub) (not (unfastened ?hub)) (not (have ?nuts))))

  (:action remove-wheel
    :parameters (?wheel - wheel ?hub - hub)
    :precondition (and (not-on-ground ?hub) (unfastened ?hub) (on ?wheel ?hub))
    :effect (and (have ?wheel) (free ?hub) (not (on ?wheel ?hub))))

  (:action put-on-wheel
    :parameters (?wheel - wheel ?hub - hub)
    :precondition (and (have ?wheel) (not-on-ground ?hub) (unfastened ?hub) (free ?hub))
    :effect (and (on ?wheel ?hub) (not (free ?hub)) (not (have ?wheel))))

  (:action inflate
    :parameters (?wheel - wheel)
    :precondition (and (have pump) (intact ?wheel) (not-inflated ?wheel))
    :effect (and (inflated ?wheel) (not (not-inflated ?wheel)))))
