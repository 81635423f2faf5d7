"""What must survive a crash: one writer thread, tasks, ledger, blobs, migrations."""
