"""The only place that knows pySigma: a rule's detection section in, a tree of tests out."""
