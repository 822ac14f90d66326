"""Full-history exporter for server-side AI conversations."""
