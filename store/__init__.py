"""Tags at rest: the tag folder, its catalogue, the `where` grammar, prevalence."""
