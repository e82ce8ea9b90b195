"""What the tap and the target share: command line, settings, progress, run telemetry, and the HTML report."""
