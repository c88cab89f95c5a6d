//! From the boot code's handover to the first guest.

use crate::console::{self, Console};
use crate::domain::DomainList;
use crate::hv::Hypervisor;
use crate::irq::Irqs;
use crate::sched::Scheduler;
use crate::time::Clocks;
use crate::{cmdline, dom0, locks, log, run};
use alloc::boxed::Box;
use alloc::string::String;
use machine::boot::Handover;
use machine::hvm::HvmCpu;
use machine::{Cpu, Lock};
use xen_abi::Errno;

/// What the image calls.
pub fn main(mut handover: Handover) -> ! {
    match start(&mut handover) {
        Ok(hv) => {
            handover.release_aps(Box::leak(Box::new(move |cpu: Cpu| run::cpu_main(cpu, hv))));
            run::cpu_main(handover.cpu, hv)
        }
        Err(why) => panic!("{why}"),
    }
}

fn start(handover: &mut Handover) -> Result<&'static Hypervisor, String> {
    let (options, warnings) = cmdline::parse(&handover.info.command_line);
    let hv = hypervisor(handover, &options)
        .map_err(|errno| alloc::format!("no memory for the hypervisor itself: {errno}"))?;
    let hv: &'static Hypervisor = Box::leak(Box::new(hv));
    console::banner(hv);
    for warning in warnings {
        log!(hv, Warning, "{warning}");
    }
    crate::speculation::start(handover, hv, &options);
    x86_emulate::prime();
    let modules = &handover.info.modules;
    let mut line = String::from(modules.first().map_or("", |m| m.command_line.as_str()));
    if !options.dom0_extra.is_empty() {
        line.push(' ');
        line.push_str(&options.dom0_extra);
    }
    if handover.info.modules.is_empty() {
        return Err(String::from(
            "the boot loader passed no dom0 kernel as first module",
        ));
    }
    let (cpu, modules) = handover.cpu_and_modules();
    dom0::build(hv, cpu, &options, modules.get(0), modules.get(1), &line)
        .map_err(|error| alloc::format!("dom0 cannot be built: {error}"))?;
    for module in 0..handover.info.modules.len() {
        if let Some((first, end)) = handover.free_module(module) {
            hv.heap.lock().add_range(first, end);
        }
    }
    hv.console.open(hv, handover.cpu_and_modules().0);
    Ok(hv)
}

fn hypervisor(handover: &mut Handover, options: &cmdline::Options) -> Result<Hypervisor, Errno> {
    let mem = handover.mem;
    let booted = machine::rtc::read_seconds();
    let console = Console::new(options);
    console.set_date(booted.saturating_mul(1_000_000_000));
    let heap = handover.heap;
    let total_pages = heap.lock().free_frames();
    Ok(Hypervisor {
        mem,
        total_pages,
        heap,
        dead: Lock::new(locks::DEAD, None),
        more_dead: Default::default(),
        claims: crate::mem::Claims::default(),
        cpus: handover.cpus,
        linear_tables: options.linear_tables,
        xsm: options.xsm,
        policies: crate::cpu_policy::Policies::new(&handover.cpu, handover.cpu.has_hvm()),
        command_line: options.line.clone(),
        noreboot: options.noreboot,
        cpuinfo: options.cpuinfo,
        domains: DomainList::default(),
        changes: crate::domain::Changes::new()?,
        virq_handlers: crate::hv::domain_lock([0; _]),
        sched: Scheduler::with(handover.cpus, options.sched, options.sched_ratelimit_us)?,
        clocks: Clocks::new(handover.cpus, booted)?,
        console,
        asked: Default::default(),
        irqs: Irqs::new(handover.platform, handover.cpus)?,
        platform: handover.platform,
        boot: handover.info,
    })
}
