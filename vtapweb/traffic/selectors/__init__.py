"""What the room reads, by topic. Every function takes the viewer's scope."""
