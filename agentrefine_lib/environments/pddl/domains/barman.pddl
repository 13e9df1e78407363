; Barman: two hands mix cocktails of two ingredients in a shaker and serve drinks in shots.
; Names, parameters and rules are those of the planning competition of 2011.
(define (domain barman)
  (:requirements :strips :typing)
  (:types
    hand level beverage dispenser container - object
    ingredient cocktail - beverage
    shot shaker - container)
  (:predicates
    (holding ?hand - hand ?thing - container)
    (handempty ?hand - hand)
    (ontable ?thing - container)
    (clean ?thing - container)
    (used ?thing - container ?drink - beverage)
    (empty ?thing - container)
    (contains ?thing - container ?drink - beverage)
    (dispenses ?source - dispenser ?part - ingredient)
    (cocktail-part1 ?mix - cocktail ?part - ingredient)
    (cocktail-part2 ?mix - cocktail ?part - ingredient)
    (unshaked ?mixer - shaker)
    (shaked ?mixer - shaker)
    (shaker-level ?mixer - shaker ?now - level)
    (shaker-empty-level ?mixer - shaker ?none - level)
    (next ?low - level ?high - level))

  (:action grasp
    :parameters (?hand - hand ?thing - container)
    :precondition (and (handempty ?hand) (ontable ?thing))
    :effect (and (holding ?hand ?thing) (not (handempty ?hand)) (not (ontable ?thing))))

  (:action leave
    :parameters (?hand - hand ?thing - container)
    :precondition (holding ?hand ?thing)
    :effect (and (handempty ?hand) (ontable ?thing) (not (holding ?hand ?thing))))

  (:action fill-shot
    :parameters (?glass - shot ?part - ingredient ?hand ?other - hand ?source - dispenser)
    :precondition (and (dispenses ?source ?part) (holding ?hand ?glass) (handempty ?other) (empty ?glass) (clean ?glass))
    :effect (and (contains ?glass ?part) (used ?glass ?part) (not (empty ?glass)) (not (clean ?glass))))

  (:action refill-shot ; with what it held before, so that it need not be clean
    :parameters (?glass - shot ?part - ingredient ?hand ?other - hand ?source - dispenser)
    :precondition (and (dispenses ?source ?part) (holding ?hand ?glass) (handempty ?other) (empty ?glass) (used ?glass ?part))
    :effect (and (contains ?glass ?part) (not (empty ?glass))))

  (:action empty-shot
    :parameters (?hand - hand ?glass - shot ?drink - beverage)
    :precondition (and (holding ?hand ?glass) (contains ?glass ?drink))
    :effect (and (empty ?glass) (not (contains ?glass ?drink))))

  (:action clean-shot
    :parameters (?glass - shot ?drink - beverage ?hand ?other - hand)
    :precondition (and (holding ?hand ?glass) (handempty ?other) (empty ?glass) (used ?glass ?drink))
    :effect (and (clean ?glass) (not (used ?glass ?drink))))

  (:action pour-shot-to-clean-shaker
    :parameters (?glass - shot ?part - ingredient ?mixer - shaker ?hand - hand ?now ?then - level)
    :precondition (and (next ?now ?then) (holding ?hand ?glass) (contains ?glass ?part)
                       (empty ?mixer) (clean ?mixer) (shaker-level ?mixer ?now))
    :effect (and (empty ?glass) (not (contains ?glass ?part))
                 (contains ?mixer ?part) (unshaked ?mixer) (not (empty ?mixer)) (not (clean ?mixer))
                 (shaker-level ?mixer ?then) (not (shaker-level ?mixer ?now))))

  (:action pour-shot-to-used-shaker
    :parameters (?glass - shot ?part - ingredient ?mixer - shaker ?hand - hand ?now ?then - level)
    :precondition (and (next ?now ?then) (holding ?hand ?glass) (contains ?glass ?part)
                       (unshaked ?mixer) (shaker-level ?mixer ?now))
    :effect (and (empty ?glass) (not (contains ?glass ?part)) (contains ?mixer ?part)
                 (shaker-level ?mixer ?then) (not (shaker-level ?mixer ?now))))

  (:action empty-shaker
    :parameters (?hand - hand ?mixer - shaker ?mix - cocktail ?now ?none - level)
    :precondition (and (shaker-empty-level ?mixer ?none) (holding ?hand ?mixer) (contains ?mixer ?mix)
                       (shaked ?mixer) (shaker-level ?mixer ?now))
    :effect (and (empty ?mixer) (not (contains ?mixer ?mix)) (not (shaked ?mixer))
                 (shaker-level ?mixer ?none) (not (shaker-level ?mixer ?now))))

  (:action clean-shaker
    :parameters (?hand ?other - hand ?mixer - shaker)
    :precondition (and (holding ?hand ?mixer) (handempty ?other) (empty ?mixer))
    :effect (clean ?mixer))

  (:action shake
    :parameters (?mix - cocktail ?one ?two - ingredient ?mixer - shaker ?hand ?other - hand)
    :precondition (and (cocktail-part1 ?mix ?one) (cocktail-part2 ?mix ?two) (holding ?hand ?mixer) (handempty ?other)
                       (contains ?mixer ?one) (contains ?mixer ?two) (unshaked ?mixer))
    :effect (and (contains ?mixer ?mix) (shaked ?mixer)
                 (not (contains ?mixer ?one)) (not (contains ?mixer ?two)) (not (unshaked ?mixer))))

  (:action pour-shaker-to-shot
    :parameters (?drink - beverage ?glass - shot ?hand - hand ?mixer - shaker ?now ?then - level)
    :precondition (and (next ?then ?now) (holding ?hand ?mixer) (shaked ?mixer) (contains ?mixer ?drink)
                       (shaker-level ?mixer ?now) (empty ?glass) (clean ?glass))
    :effect (and (contains ?glass ?drink) (not (empty ?glass)) (not (clean ?glass))
                 (shaker-level ?mixer ?then) (not (shaker-level ?mixer ?now)))))
