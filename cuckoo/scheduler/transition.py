"""The contract of the scheduler: ``transition(state, event) -> list[Decision]``.

* It is the only thing that changes a ``State``. It does no I/O, reads no clock and draws no random numbers of its own:
  equal states and equal events give equal decisions.
* The caller feeds events one at a time from one task, makes the decisions of a transition durable in one transaction
  together with what caused them (the task's row, the result's pictures), and only then lets effects out. When the
  commit fails, the role stops and rebuilds the state from the store.
* A start: a fresh ``State``, ``TaskRestored`` for every open task in order of acceptance, each followed by its
  ``AttemptRestored`` in rising order, then ``PeriodStarted`` under a new seed tip. Miners sign in again by themselves;
  attempts of those that do not within the silence limit are lost and tried again.
* A miner: ``MinerSignedIn``, then ``MinerParked`` for each waiting poll. ``AssignTask`` uses up the parked slot it
  names; a poll that ends otherwise is a ``MinerUnparked``. Events about sessions, slots, tasks or attempts that are
  no longer there are without effect, so that the caller need not know who was faster.
* A result: check ``state.is_live(task, attempt, node)`` before the expensive verification if you like; then
  ``ResultVerified``. The answer is ``CompleteTask`` or ``RefuseResult``, in the same transition, so nothing can come
  between the check and the fence. A result that is wrong is an ``AttemptFailed`` with ``BAD_RESULT``.
* Decisions of one transition stand in the order in which they take effect; ``AppendLog`` is the first.
"""
