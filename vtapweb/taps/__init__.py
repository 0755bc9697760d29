"""TAPs and TAP configurations: verdicts, plan, apply, verify, undo. The only room that writes to Azure."""
