//! The state of a domain's and a vCPU's event channels, and giving out ports.

use super::channel::{Binding, Word};
use super::fifo::{self, Array, Queues};
use super::table::{PirqPorts, Table};
use super::two_level;
use crate::domain::Domain;
use crate::locks;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use machine::Lock;
use xen_abi::Errno;
use xen_abi::event_channel::{EVTCHN_FIFO_NR_CHANNELS, EvtchnPort};
use xen_abi::xen::NR_VIRQS;

/// A domain's event channels.
pub struct EventState {
    /// By port.
    pub(super) table: Table,
    /// Ports by physical interrupt.
    pub(super) pirqs: PirqPorts,
    /// Held by whoever changes a binding.
    pub(super) ports: Lock<Ports>,
    /// Whether delivery is in the FIFO form.
    fifo: AtomicBool,
}

/// What the lock of a domain's ports protects.
pub struct Ports {
    /// Highest port that may be given out.
    pub limit: EvtchnPort,
    /// No port below this one can be given out.
    hint: EvtchnPort,
    /// Where closing all ports goes on.
    pub cursor: EvtchnPort,
    /// No port is given out any more.
    pub dead: bool,
    /// The FIFO form's words.
    pub array: Option<Arc<Array>>,
}

impl EventState {
    /// No channel. Errors: `ENOMEM`.
    pub fn new(_max_vcpus: u32) -> Result<EventState, Errno> {
        let table = Table::new()?;
        table.grow(0)?.set(Word::new(Binding::Reserved, 0));
        let ports = Ports {
            limit: u32::MAX,
            hint: 1,
            cursor: 1,
            dead: false,
            array: None,
        };
        Ok(EventState {
            table,
            pirqs: PirqPorts::new()?,
            ports: Lock::new(locks::EVENT, ports),
            fifo: AtomicBool::new(false),
        })
    }

    /// Sets the highest port that may be given out (`max_evtchn_port` of a new domain).
    pub fn set_limit(&self, limit: EvtchnPort) {
        self.ports.lock().limit = limit;
    }

    /// Whether delivery is in the FIFO form.
    #[inline(always)]
    pub fn is_fifo(&self) -> bool {
        self.fifo.load(Ordering::Acquire)
    }

    /// Chooses the form; the caller holds the lock of the ports.
    pub(super) fn set_fifo(&self, on: bool) {
        self.fifo.store(on, Ordering::Release);
    }
}

impl Ports {
    /// Gives out the lowest free port. Errors: `ENOSPC` when there is none; `ENOMEM`.
    pub fn allocate(&mut self, dom: &Domain, word: Word) -> Result<EvtchnPort, Errno> {
        let form = if self.array.is_some() {
            EVTCHN_FIFO_NR_CHANNELS
        } else {
            dom.shared_offsets().ports()
        };
        if self.dead {
            return Err(Errno::ENOSPC);
        }
        let mut busy = false;
        for port in self.hint..form {
            if port > self.limit {
                break;
            }
            let channel = dom.events.table.grow(port)?;
            if channel.get().binding() != Binding::Free {
                continue;
            }
            // Closed, but the guest has yet to take it off a queue.
            if self
                .array
                .as_ref()
                .is_some_and(|array| array.is_linked(port))
            {
                if !busy {
                    self.hint = port;
                }
                busy = true;
                continue;
            }
            channel.take_early();
            channel.set(word);
            if !busy {
                self.hint = port + 1;
            }
            return Ok(port);
        }
        Err(Errno::ENOSPC)
    }

    /// Takes a port back that is not bound to anything any more.
    pub fn free(&mut self, dom: &Domain, port: EvtchnPort) {
        let Some(channel) = dom.events.table.get(port) else {
            return;
        };
        channel.set(Word::new(Binding::Free, 0));
        match &self.array {
            Some(array) => fifo::clear_pending(array, channel, port),
            None => two_level::clear_pending(dom, port),
        }
        self.hint = self.hint.min(port);
    }
}

/// A vCPU's part in event delivery.
pub struct VcpuEvents {
    /// Ports by virtual interrupt; 0 is none. Changed under the lock of the domain's ports.
    pub(super) virqs: [AtomicU32; NR_VIRQS as usize],
    /// FIFO queues.
    pub(super) fifo: Lock<Option<Queues>>,
}

impl Default for VcpuEvents {
    fn default() -> Self {
        VcpuEvents {
            virqs: [const { AtomicU32::new(0) }; NR_VIRQS as usize],
            fifo: Lock::new(locks::EVENT_QUEUE, None),
        }
    }
}
