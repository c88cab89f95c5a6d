//! Keeps `docs/hypercalls.md` true: makes every call and every operation of Xen's interface on
//! the simulated machine and compares what is answered with what the page says.
//!
//! An operation counts as served when it answers anything but `ENOSYS` and `EOPNOTSUPP` to an
//! argument of zeros. `UPDATE_DOCS=1` in the environment writes the page anew.

extern crate std;

use super::{TABLE, dispatch_pv};
use crate::fail::Fail;
use crate::testing::{ARG_PAGE, DATA_VA, World};
use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use core::sync::atomic::Ordering;
use machine::PAGE_SIZE;
use std::fs;
use xen_abi::domctl::{DOMCTL_OPS, XEN_DOMCTL_INTERFACE_VERSION};
use xen_abi::hypercall::{self, HYPERCALLS};
use xen_abi::platform::{PLATFORM_OPS, XENPF_INTERFACE_VERSION};
use xen_abi::sysctl::{SYSCTL_OPS, XEN_SYSCTL_INTERFACE_VERSION};
use xen_abi::xen::DOMID_SELF;
use xen_abi::{Errno, callback, event_channel, grant_table, memory, mmu, physdev, sched, vcpu};

/// Where the generated part begins and ends.
const BEGIN: &str = "<!-- generated -->\n";
const END: &str = "<!-- end of what is generated -->\n";

/// How an operation of a call is named in its arguments.
#[derive(Clone, Copy)]
enum Form {
    /// Number, address of a structure.
    Pointer,
    /// Number, address of an array, count.
    Array,
    /// Number, vCPU, address of a structure.
    Vcpu,
    /// A list of one structure, which starts with the number; `mmuext_op`.
    List,
    /// A structure that starts with the number and this version of the interface.
    Versioned(u32),
}

type Operations = &'static [(&'static str, u32)];

/// Calls that consist of operations.
const FAMILIES: &[(u32, Form, Operations)] = &[
    (
        hypercall::PLATFORM_OP,
        Form::Versioned(XENPF_INTERFACE_VERSION),
        PLATFORM_OPS,
    ),
    (hypercall::MEMORY_OP, Form::Pointer, memory::MEMORY_OPS),
    (
        hypercall::XEN_VERSION,
        Form::Pointer,
        xen_abi::version::XENVER_OPS,
    ),
    (
        hypercall::GRANT_TABLE_OP,
        Form::Array,
        grant_table::GNTTAB_OPS,
    ),
    (hypercall::VCPU_OP, Form::Vcpu, vcpu::VCPU_OPS),
    (hypercall::MMUEXT_OP, Form::List, mmu::MMUEXT_OPS),
    (hypercall::NMI_OP, Form::Pointer, callback::NMI_OPS),
    (hypercall::SCHED_OP, Form::Pointer, sched::SCHED_OPS),
    (
        hypercall::CALLBACK_OP,
        Form::Pointer,
        callback::CALLBACK_OPS,
    ),
    (
        hypercall::EVENT_CHANNEL_OP,
        Form::Pointer,
        event_channel::EVTCHN_OPS,
    ),
    (hypercall::PHYSDEV_OP, Form::Pointer, physdev::PHYSDEV_OPS),
    (
        hypercall::SYSCTL,
        Form::Versioned(XEN_SYSCTL_INTERFACE_VERSION),
        SYSCTL_OPS,
    ),
    (
        hypercall::DOMCTL,
        Form::Versioned(XEN_DOMCTL_INTERFACE_VERSION),
        DOMCTL_OPS,
    ),
];

fn is_served(nr: u32) -> bool {
    TABLE.iter().any(|row| row.nr == nr && row.pv)
}

/// Makes one call with an argument of zeros, in a domain of its own.
fn answer(world: &World, id: u16, nr: u32, form: Form, op: u32) -> Result<i64, Fail> {
    // What a privileged domain does to itself it does to the machine.
    let privileged = !matches!(nr, hypercall::SCHED_OP | hypercall::VCPU_OP);
    let domain = world.domain(id, privileged, 1);
    let at = DATA_VA + (ARG_PAGE * PAGE_SIZE) as u64;
    let words = domain.data[ARG_PAGE].words();
    let args = match form {
        Form::Pointer => [op.into(), at, 0, 0],
        Form::Array => [op.into(), at, 1, 0],
        Form::Vcpu => [op.into(), 0, at, 0],
        Form::List => {
            words[0].store(op.into(), Ordering::Relaxed);
            [at, 1, 0, DOMID_SELF.into()]
        }
        Form::Versioned(version) => {
            words[0].store(u64::from(version) << 32 | u64::from(op), Ordering::Relaxed);
            if nr == hypercall::DOMCTL {
                words[1].store(id.into(), Ordering::Relaxed);
            }
            [at, 0, 0, 0]
        }
    };
    world.on(&domain, 0, 0, |cx| {
        if nr == hypercall::EVENT_CHANNEL_OP
            && matches!(
                op,
                event_channel::EVTCHNOP_expand_array | event_channel::EVTCHNOP_set_priority
            )
        {
            // These are there once the domain has asked for FIFO events.
            words[0].store(domain.data[0].mfn().0, Ordering::Relaxed);
            cx.set_args([event_channel::EVTCHNOP_init_control.into(), at]);
            assert_eq!(dispatch_pv(cx, nr.into()), Ok(0));
            words
                .iter()
                .for_each(|word| word.store(0, Ordering::Relaxed));
        }
        cx.set_args(args);
        dispatch_pv(cx, nr.into())
    })
}

fn operations(page: &mut String, nr: u32, form: Form, all: Operations) {
    let name = super::name(nr.into());
    let _ = write!(page, "\n### {name} ({nr})\n\n| operation | |\n|---|---|\n");
    let world = World::new(1);
    for (id, (name, op)) in (1..).zip(all) {
        let said = match answer(&world, id, nr, form, *op) {
            Err(Fail::Errno(Errno::ENOSYS)) => "no",
            Err(Fail::Errno(Errno::EOPNOTSUPP)) => "refused: `EOPNOTSUPP`",
            _ => "yes",
        };
        let _ = writeln!(page, "| `{name}` ({op}) | {said} |");
    }
}

fn page() -> String {
    let mut page = String::from(
        "\n## Calls\n\n| number | call | to PV guests | to hardware-virtualised ones |\n|---|---|---|---|\n",
    );
    let common = HYPERCALLS
        .iter()
        .filter(|(name, _)| !name.starts_with("ARCH_"));
    for (name, nr) in common.chain(&[("MCA", hypercall::MCA)]) {
        let row = TABLE.iter().find(|row| row.nr == *nr);
        let [pv, hvm] = [
            row.is_some_and(|row| row.pv),
            row.is_some_and(|row| row.hvm),
        ]
        .map(|served| if served { "yes" } else { "no: `ENOSYS`" });
        let _ = writeln!(page, "| {nr} | `{}` | {pv} | {hvm} |", name.to_lowercase());
    }
    page.push_str("\n## Operations\n");
    for (nr, form, all) in FAMILIES.iter().filter(|(nr, ..)| is_served(*nr)) {
        operations(&mut page, *nr, *form, all);
    }
    page.push('\n');
    page
}

/// The page names what is served and what is not, as it is.
#[test]
fn the_page_on_hypercalls_is_true() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hypercalls.md");
    let text = fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (said, after) = rest.split_once(END).unwrap();
    let is = page();
    if said == is {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, format!("{before}{BEGIN}{is}{END}{after}")).unwrap();
        return;
    }
    let new = is
        .lines()
        .filter(|line| !said.lines().any(|old| old == *line));
    let new: String = new.map(|line| format!("{line}\n")).collect();
    panic!(
        "docs/hypercalls.md is out of date; `UPDATE_DOCS=1 cargo test -p hypervisor documented` \
         writes it anew. It lacks:\n{new}"
    );
}
