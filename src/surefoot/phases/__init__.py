"""Phases: the gates between them, each predicate answered by evidence, and the rules that choose the next one."""
