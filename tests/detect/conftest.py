"""The real samples, as the content tests find them."""

from tests.content.conftest import real_samples as real_samples
