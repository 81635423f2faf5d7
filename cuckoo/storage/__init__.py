"""What must survive a crash: one writer, tasks, ledger, blobs, migrations.

Every method that changes something returns a ``Command``: a function of the connection that the writer runs.
Hand it to ``Writer.execute`` alone, or several as ``together(...)`` when they must become durable in one transaction.
Every method that reads is a coroutine and uses the read-only connection. ``store.open_store`` opens all of it.
"""
