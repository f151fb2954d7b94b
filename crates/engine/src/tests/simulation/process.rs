//! What happens to whole processes: they die, start again, drain, and their clocks are set right.

use std::sync::Arc;

use model::time::Duration;
use store::{Backend, scans, simulation};

use super::check::{Actor, Checked};
use super::work::{Claimed, Labour};
use super::world::World;

impl World {
    /// All work of a node dies; a new process takes its place, with the same clock.
    pub(super) async fn crash(&mut self, n: usize) -> Checked {
        let (dead, alive) = std::mem::take(&mut self.labours).into_iter().partition(|l| l.node == n);
        self.labours = alive;
        let mut dead: Vec<Labour> = dead;
        dead.iter_mut().for_each(Labour::die);
        for labour in dead {
            self.buried(labour).await?;
        }
        self.restart(n).await
    }

    pub(super) async fn restart(&mut self, n: usize) -> Checked {
        simulation::trouble(None);
        if !self.many && self.db.backend() == Backend::Sqlite {
            scans::close_all_at_start(&self.db).await.expect("the database answers a start");
        }
        let clock = Arc::clone(&self.nodes[n].clock);
        self.nodes[n] = self.start(n, clock).await;
        self.look_at_all().await
    }

    /// A node is told to stop, hands back what it holds, and starts again.
    pub(super) async fn drain(&mut self, n: usize) -> Checked {
        self.nodes[n].frozen_until = None;
        simulation::trouble(None);
        let _ = self.nodes[n].drain.send(true);
        for labour in self.labours.iter_mut().filter(|labour| labour.node == n) {
            (labour.frozen_until, labour.fuse) = (None, None);
        }
        let held: Vec<Claimed> =
            self.labours.iter().filter(|l| l.node == n).filter_map(|l| l.held.clone()).collect();
        self.pass(Duration::seconds(19)).await?;
        self.watch.look_at_all(&self.db, Actor::Other).await?;
        self.watch.drained(&held)?;
        self.crash(n).await
    }

    /// A node misses what was changed until now. One alone hears of its own changes from itself.
    pub(super) async fn deafen(&mut self, n: usize) {
        if !self.many {
            return;
        }
        self.nodes[n].ticker.lock().await.miss();
    }

    /// Clocks that were wrong for a while only are right again. Who holds a scan just then may die of it, before it can say
    /// by the right time that it lives.
    pub(super) async fn set_right(&mut self) -> Checked {
        let now = self.shared.now();
        for n in 0..self.nodes.len() {
            let clock = &self.nodes[n].clock;
            if clock.right_at().is_none_or(|at| at > now) {
                continue;
            }
            clock.is_right();
            *self.counts.events.entry("a clock is right again by itself").or_default() += 1;
            // A node that drains hands back what it holds.
            let drains = *self.nodes[n].drain.borrow();
            let holds = |labour: &Labour| labour.node == n && labour.held.is_some() && !drains;
            let holder = self.labours.iter().position(holds);
            if let Some(at) = holder
                && self.shared.dice().once_in(2)
            {
                *self.counts.events.entry("a worker dies as its clock is set right").or_default() += 1;
                let dead = self.labours.swap_remove(at);
                self.buried(dead).await?;
            }
        }
        Ok(())
    }
}
