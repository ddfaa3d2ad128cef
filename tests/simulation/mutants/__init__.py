"""Faults of the product that the simulation must see: each is a change of one place of one module.

A profile has a module of its own here, with a list `MUTANTS`; `ALL` holds them all.
"""

from tests.simulation.mutants import bus, database, link, web, whole
from tests.simulation.mutants.mutant import Mutant

ALL: tuple[Mutant, ...] = (*link.MUTANTS, *database.MUTANTS, *web.MUTANTS, *whole.MUTANTS, *bus.MUTANTS)
