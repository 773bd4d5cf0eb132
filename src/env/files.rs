//! How many files and connections the system lets this process have open.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit to what the system allows at most, as every connection takes one; gives the limit, or none if there
/// is none.
pub fn raise_file_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => limit.maximum,
        // The system has a lower bound of its own.
        Err(_) => before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_the_system_allows() {
        let raised = raise_file_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!((limit.current, raised), (limit.maximum, limit.maximum));
    }
}
