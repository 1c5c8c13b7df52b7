"""Text in, scores out: gate, screen, evidence, verdict; how they are trained and measured."""
