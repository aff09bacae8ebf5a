"""Ways to people and to the systems they work with: one module a type, found by location."""
