//! A domain's ports: a table that grows in chunks, found without a lock.
//!
//! Chunks are made under the lock of the domain's ports and stay until the domain goes, so a
//! sender needs no lock to find a channel.

use super::channel::Channel;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::AtomicU32;
use spin::Once;
use xen_abi::Errno;
use xen_abi::event_channel::{EVTCHN_FIFO_NR_CHANNELS, EvtchnPort};

const CHUNK: usize = 64;
const CHUNKS: usize = 64;
const GROUP: usize = CHUNK * CHUNKS;
const GROUPS: usize = EVTCHN_FIFO_NR_CHANNELS as usize / GROUP;

type Chunk = Box<[Channel]>;
type Group = Box<[Once<Chunk>]>;

/// Makes `n` values. Errors: `ENOMEM`.
pub fn boxed<T>(n: usize, make: impl FnMut() -> T) -> Result<Box<[T]>, Errno> {
    let mut list = Vec::new();
    list.try_reserve_exact(n).map_err(|_| Errno::ENOMEM)?;
    list.resize_with(n, make);
    Ok(list.into_boxed_slice())
}

/// The channels of a domain by port.
pub struct Table {
    groups: Box<[Once<Group>]>,
}

impl Table {
    /// A table without channels. Errors: `ENOMEM`.
    pub fn new() -> Result<Table, Errno> {
        Ok(Table {
            groups: boxed(GROUPS, Once::new)?,
        })
    }

    /// The channel of `port`, if the table reaches that far.
    #[inline(always)]
    pub fn get(&self, port: EvtchnPort) -> Option<&Channel> {
        let port = port as usize;
        let group = self.groups.get(port / GROUP)?.get()?;
        group.get(port / CHUNK % CHUNKS)?.get()?.get(port % CHUNK)
    }

    /// The channel of `port`; the table grows when it has to. Errors: `ENOMEM`; `ENOSPC`
    /// beyond the last port there can be.
    pub fn grow(&self, port: EvtchnPort) -> Result<&Channel, Errno> {
        let at = port as usize;
        let group = self.groups.get(at / GROUP).ok_or(Errno::ENOSPC)?;
        let group = group.try_call_once(|| boxed(CHUNKS, Once::new))?;
        let chunk = group.get(at / CHUNK % CHUNKS).ok_or(Errno::ENOSPC)?;
        let chunk = chunk.try_call_once(|| boxed(CHUNK, Channel::default))?;
        chunk.get(at % CHUNK).ok_or(Errno::ENOSPC)
    }

    /// The first port after `port` whose chunk exists: chunks that were never made are
    /// stepped over.
    pub fn next(&self, port: EvtchnPort) -> Option<EvtchnPort> {
        let mut at = port as usize + 1;
        while at < GROUPS * GROUP {
            match self.groups.get(at / GROUP)?.get() {
                None => at = (at / GROUP + 1) * GROUP,
                Some(group) => match group.get(at / CHUNK % CHUNKS)?.get() {
                    None => at = (at / CHUNK + 1) * CHUNK,
                    Some(_) => return Some(at as EvtchnPort),
                },
            }
        }
        None
    }
}

const PIRQ_CHUNK: usize = 64;
const PIRQ_CHUNKS: usize = 64;

/// A domain's ports by physical interrupt.
pub struct PirqPorts {
    chunks: Box<[Once<Box<[AtomicU32]>>]>,
}

impl PirqPorts {
    /// No port for any. Errors: `ENOMEM`.
    pub fn new() -> Result<PirqPorts, Errno> {
        Ok(PirqPorts {
            chunks: boxed(PIRQ_CHUNKS, Once::new)?,
        })
    }

    /// Where the port of `pirq` stands, if one was ever bound near it.
    #[inline]
    pub fn get(&self, pirq: u32) -> Option<&AtomicU32> {
        self.chunks
            .get(pirq as usize / PIRQ_CHUNK)?
            .get()?
            .get(pirq as usize % PIRQ_CHUNK)
    }

    /// As [`PirqPorts::get`], made when it is not there. Errors: `ENOMEM`; `EINVAL` for a
    /// number that no domain has.
    pub fn grow(&self, pirq: u32) -> Result<&AtomicU32, Errno> {
        let chunk = self
            .chunks
            .get(pirq as usize / PIRQ_CHUNK)
            .ok_or(Errno::EINVAL)?;
        let chunk = chunk.try_call_once(|| boxed(PIRQ_CHUNK, Default::default))?;
        chunk.get(pirq as usize % PIRQ_CHUNK).ok_or(Errno::EINVAL)
    }
}
