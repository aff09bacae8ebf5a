"""Nothing in, every template of the generators out."""

from trailkeep.demo import templates_compute, templates_identity, templates_storage

TEMPLATES = (*templates_identity.TEMPLATES, *templates_storage.TEMPLATES, *templates_compute.TEMPLATES)
