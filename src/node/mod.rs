//! One node: the task that owns replica, state and dispatch.
