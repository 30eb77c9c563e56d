//! What becomes of requests at one pod in one window of time.
//!
//! Takes how the pod serves, how many requests wait and how many arrive; gives how many are worked off, refused and left
//! waiting, and how long a request waits. Pure.
//!
//! The approximation: below capacity the mean wait is that of a queue with `c` servers in its steady state, Erlang's C formula
//! times Allen and Cunneen's correction for the variation of arrivals and service (see Gross and Harris, Fundamentals of
//! Queueing Theory, on G/G/c). Beyond capacity the backlog grows as a fluid does until the queue is full; then requests are
//! refused. All requests of a window wait equally long. A request counts where it arrives, if it does not wait.

use super::serving::Serving;

/// What became of the requests of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    /// Worked off.
    pub completed: u64,
    /// Refused because the queue was full.
    pub refused: u64,
    /// Still waiting at the end.
    pub waiting: u64,
    /// Mean wait, in seconds.
    pub wait: f64,
    /// Requests being worked on, on average.
    pub running: f64,
}

/// One window of `seconds`. `variation` is the squared coefficient of variation of the time between arrivals (1: Poisson);
/// `share`, drawn from 0 to 1, decides whether a request that capacity allows only a part of is finished.
pub fn turn(serving: &Serving, waiting: u64, arrived: u64, seconds: f64, variation: f64, share: f64) -> Turn {
    let servers = f64::from(serving.concurrency.max(1));
    let service = serving.latency.distribution();
    let each = service.mean();
    let capacity = (servers * seconds / each + share).floor() as u64;
    let present = waiting + arrived;
    let completed = present.min(capacity);
    let left = (present - completed).min(u64::from(serving.queue).max(waiting.saturating_sub(completed)));
    let erlangs = arrived as f64 / seconds * each;
    let steady = steady_wait(serving.concurrency.max(1), erlangs, each) * (variation + service.squared_variation()) / 2.0;
    let backlog = (waiting + left) as f64 / 2.0 * each / servers;
    let longest = f64::from(serving.queue.max(1)) * each / servers;
    Turn {
        completed,
        refused: present - completed - left,
        waiting: left,
        wait: (steady + backlog).min(longest.max(backlog)),
        running: if left > 0 { servers } else { erlangs.min(servers) },
    }
}

/// Mean wait of M/M/c in its steady state; endless load has none, its backlog counts instead.
fn steady_wait(servers: u32, erlangs: f64, each: f64) -> f64 {
    let free = f64::from(servers) - erlangs;
    if free <= 0.0 || erlangs <= 0.0 {
        return 0.0;
    }
    // Erlang's B by its recursion, then C from B.
    let blocked = (1..=servers).fold(1.0, |blocked, server| erlangs * blocked / (f64::from(server) + erlangs * blocked));
    let waits = f64::from(servers) * blocked / (f64::from(servers) - erlangs * (1.0 - blocked));
    waits * each / free
}

/// Divides a whole over parts in proportion, largest remainders first; no part gets more than it has. Exact.
pub fn share_out(whole: u64, parts: &[u64]) -> Vec<u64> {
    let all: u64 = parts.iter().sum();
    let whole = whole.min(all);
    if all == 0 {
        return vec![0; parts.len()];
    }
    let scaled = |part: u64| u128::from(whole) * u128::from(part);
    let mut shares: Vec<u64> = parts.iter().map(|part| (scaled(*part) / u128::from(all)) as u64).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|index| (std::cmp::Reverse(scaled(parts[*index]) % u128::from(all)), *index));
    let missing = whole - shares.iter().sum::<u64>();
    for index in order.into_iter().take(missing as usize) {
        shares[index] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::sim::traffic::serving::Quantiles;

    fn serving(concurrency: u32, queue: u32) -> Serving {
        let second = SignedDuration::from_secs(1);
        Serving { concurrency, queue, latency: Quantiles { p50: second, p99: second }, ..Serving::default() }
    }

    #[test]
    fn one_server_with_constant_service_waits_as_pollaczek_and_khinchine_say() {
        // M/D/1 at half load: rho / (2 (1 - rho)) services.
        let turn = turn(&serving(1, 1000), 0, 500, 1000.0, 1.0, 0.0);
        assert!((turn.wait - 0.5).abs() < 1e-9, "{turn:?}");
        assert_eq!((turn.completed, turn.refused, turn.waiting), (500, 0, 0));
        assert!((turn.running - 0.5).abs() < 1e-9);
    }

    #[test]
    fn many_servers_hardly_wait_at_the_same_load() {
        let one = turn(&serving(1, 100), 0, 500, 1000.0, 1.0, 0.0).wait;
        let many = turn(&serving(32, 100), 0, 16_000, 1000.0, 1.0, 0.0).wait;
        assert!(many < one / 100.0, "{many}");
    }

    #[test]
    fn overload_fills_the_queue_and_refuses_the_rest() {
        let first = turn(&serving(10, 30), 0, 70, 5.0, 1.0, 0.0);
        assert_eq!((first.completed, first.refused, first.waiting), (50, 0, 20));
        let second = turn(&serving(10, 30), first.waiting, 70, 5.0, 1.0, 0.0);
        assert_eq!((second.completed, second.refused, second.waiting), (50, 10, 30));
        assert!(second.wait > first.wait && second.wait <= 3.0, "{second:?}");
    }

    #[test]
    fn a_backlog_is_worked_off_when_load_is_gone() {
        let turn = turn(&serving(10, 30), 30, 0, 5.0, 1.0, 0.0);
        assert_eq!((turn.completed, turn.waiting, turn.refused), (30, 0, 0));
    }

    #[test]
    fn no_request_is_lost_or_made() {
        for (waiting, arrived) in [(0, 0), (5, 3), (30, 500), (80, 2)] {
            let turn = turn(&serving(4, 30), waiting, arrived, 5.0, 2.0, 0.3);
            assert_eq!(turn.completed + turn.refused + turn.waiting, waiting + arrived);
        }
    }

    #[test]
    fn parts_of_a_whole_add_up_and_never_exceed_what_is_there() {
        assert_eq!(share_out(10, &[1, 1, 18]), [1, 0, 9]);
        assert_eq!(share_out(5, &[2, 2]), [2, 2]);
        assert_eq!(share_out(0, &[2, 2]), [0, 0]);
        assert_eq!(share_out(3, &[]), Vec::<u64>::new());
        for whole in 0..=13 {
            let shares = share_out(whole, &[6, 0, 4, 3]);
            assert_eq!(shares.iter().sum::<u64>(), whole);
            assert!(shares.iter().zip([6, 0, 4, 3]).all(|(share, part)| *share <= part));
        }
    }
}
