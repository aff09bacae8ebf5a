"""A compressed stretch of an object in, its plain bytes out, as many as can be had: one file a compression."""
