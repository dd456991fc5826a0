"""The wire beside its rivals: a lab, contenders in it, measures of them."""
