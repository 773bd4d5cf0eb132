//! Who leads: the coordinator port, ZooKeeper, and the pure rules of election.
