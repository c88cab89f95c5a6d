//! The syntax as users write it.

use super::*;
use alloc::string::ToString;
use alloc::vec;
use machine::settings::{ResetMethod, Settings};

/// Options of a line that gives no warning.
fn good(line: &str) -> Options {
    let (options, warnings) = parse(line);
    assert_eq!(warnings, [], "{line}");
    options
}

/// The one warning of a line, as the console shows it.
fn complaint(line: &str) -> String {
    let (_, warnings) = parse(line);
    assert_eq!(warnings.len(), 1, "{line}: {warnings:?}");
    warnings[0].to_string()
}

const fn bytes(bytes: u64) -> Option<Amount> {
    Some(Amount {
        bytes,
        percent: 0,
        negative: false,
    })
}

#[test]
fn a_usual_line() {
    let line =
        "console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all dom0_mem=1G,max:1G noreboot";
    let options = good(line);
    assert_eq!(options.line, line);
    assert_eq!(options.console, Some(Port::Com1));
    assert_eq!(options.com1, SerialConfig::COM1);
    assert_eq!(
        options.loglvl,
        LogLimits {
            always: Level::Debug,
            limited: Level::Debug
        }
    );
    assert_eq!(
        options.dom0_mem,
        Dom0Mem {
            initial: bytes(1 << 30),
            min: None,
            max: bytes(1 << 30)
        }
    );
    assert!(options.noreboot);
}

#[test]
fn an_empty_line_is_the_default() {
    assert_eq!(good(""), Options::default());
    assert_eq!(
        good("  \t placeholder "),
        Options {
            line: "  \t placeholder ".into(),
            ..Options::default()
        }
    );
}

#[test]
fn memory_amounts() {
    let mem = |text: &str| good(&alloc::format!("dom0_mem={text}")).dom0_mem;
    assert_eq!(mem("4096").initial, bytes(4 << 20));
    assert_eq!(mem("4096b").initial, bytes(4096));
    assert_eq!(mem("0x10M").initial, bytes(16 << 20));
    assert_eq!(
        mem("min:1m,max:2T"),
        Dom0Mem {
            initial: None,
            min: bytes(1 << 20),
            max: bytes(2 << 40)
        }
    );
    assert_eq!(
        mem("-256M").initial.map(|a| a.resolve(1 << 30)),
        Some(768 << 20)
    );
    assert_eq!(
        mem("25%").initial.map(|a| a.resolve(1 << 30)),
        Some(256 << 20)
    );
    assert_eq!(
        mem("1G+10%").initial.map(|a| a.resolve(10 << 30)),
        Some(2 << 30)
    );
    assert_eq!(mem("2G").initial.map(|a| a.resolve(1 << 30)), Some(1 << 30));
    assert_eq!(mem("-2G").initial.map(|a| a.resolve(1 << 30)), Some(0));
}

#[test]
fn malformed_memory_is_reported_and_changes_nothing() {
    for text in [
        "",
        "x",
        "1G,",
        "1Gb",
        "max:",
        "101%",
        "1G+",
        "99999999999T",
        "--1G",
        "1G 5",
    ] {
        let (options, warnings) = parse(&alloc::format!("dom0_mem={text}"));
        assert!(!warnings.is_empty(), "{text}");
        if text != "1G 5" {
            assert_eq!(options.dom0_mem, Dom0Mem::default(), "{text}");
        }
    }
}

#[test]
fn vcpu_ranges() {
    let vcpus = |text: &str| good(&alloc::format!("dom0_max_vcpus={text}")).dom0_max_vcpus;
    assert_eq!(vcpus("4"), VcpuRange { min: 4, max: 4 });
    assert_eq!(vcpus("2-8"), VcpuRange { min: 2, max: 8 });
    assert_eq!(
        vcpus("2-"),
        VcpuRange {
            min: 2,
            max: u32::MAX
        }
    );
    assert_eq!(vcpus("-8").resolve(64), 8);
    assert_eq!(VcpuRange::default().resolve(3), 3);
    for text in ["0", "3-2", "x", "1-2-3", "4294967296"] {
        assert!(complaint(&alloc::format!("dom0_max_vcpus={text}")).contains("dom0_max_vcpus"));
    }
}

#[test]
fn booleans() {
    for on in [
        "noreboot",
        "noreboot=yes",
        "noreboot=1",
        "noreboot=on",
        "noreboot=true",
        "no-noreboot=off",
    ] {
        assert!(good(on).noreboot, "{on}");
    }
    for off in [
        "no-noreboot",
        "noreboot=no",
        "noreboot=0",
        "noreboot=disable",
        "noreboot noreboot=off",
    ] {
        assert!(!good(off).noreboot, "{off}");
    }
    assert!(!good("no-smep").smep);
    assert_eq!(good("nosmp").maxcpus, Some(1));
    assert_eq!(good("maxcpus=0").maxcpus, Some(1));
    assert_eq!(good("maxcpus=8").maxcpus, Some(8));
}

#[test]
fn serial_lines() {
    let com = |text: &str| good(&alloc::format!("com2={text}")).com2;
    assert_eq!(com("115200,8n1"), SerialConfig::COM2);
    assert_eq!(com("auto").baud, 0);
    // Seven data bits, even parity, two stop bits.
    assert_eq!((com("9600,7e2").baud, com("9600,7e2").line), (9600, 0x1e));
    let odd = SerialConfig {
        port: 0x3e8,
        baud: 57_600,
        base_baud: 230_400,
        line: 0,
        irq: 0,
    };
    assert_eq!(com("57600/230400,5n1,0x3e8,0"), odd);
    assert_eq!(
        com("baud=57600,data-bits=5,io-base=0x3e8,irq=0,clock-hz=230400,parity=none,stop-bits=1"),
        odd
    );
    // Names may stand among places, and places may be left out.
    assert_eq!(com("57600,parity=m,,,7").irq, 7);
    assert_eq!(com("57600,parity=m,,,7").line, 0x2b);
    for text in [
        "fast",
        "0",
        "9600,9n1",
        "9600,8n1,pci",
        "9600,8n1,0",
        "9600,8n1,0xfe030000",
        "9600,8n1,0x3f8,16",
        "9600,8n1,1,2,3",
        "9600,8n",
        "115200,reg-width=4",
        "stop-bits=3",
        "colour=red",
    ] {
        let line = alloc::format!("com1={text}");
        assert!(complaint(&line).contains("com1"));
        assert_eq!(parse(&line).0.com1, SerialConfig::COM1, "{text}");
    }
}

#[test]
fn what_the_machine_is_told() {
    let told = |line: &str| {
        good(line);
        machine_settings(line)
    };
    assert_eq!(told("loglvl=all"), Settings::new());
    let all = told(
        "console=com2 com2=9600 maxcpus=3 mem=1G availmem=512M badpage=0x12,0x20-0x2f no-smep \
         smap=hvm x2apic=off tdt=no clocksource=pit reboot=kbd,warm noreboot -- console=com1",
    );
    let want = Settings {
        serial: Some(SerialConfig {
            baud: 9600,
            ..SerialConfig::COM2
        }),
        max_cpus: 3,
        ram_end: 1 << 30,
        ram_bytes: 512 << 20,
        bad_frames: [(0x12, 0x12), (0x20, 0x2f)].into_iter().collect(),
        smep: false,
        smap: false,
        x2apic: Some(false),
        tsc_deadline: false,
        reference: Some(ReferenceClock::Pit),
        reset: Reset {
            first: Some(ResetMethod::Keyboard),
            warm: true,
        },
        reset_after_crash: false,
    };
    assert_eq!(all, want);
    assert_eq!(told("console=none").serial, None);
    // What is wrong is left out here, and complained about by the other reader.
    assert_eq!(
        machine_settings("mem=x maxcpus= com1=? foo"),
        Settings::new()
    );
    assert!(complaint("badpage=2-1").contains("badpage"));
    assert!(complaint("smep=guest").contains("hvm"));
    assert!(complaint("clocksource=sun").contains("hpet"));
}

#[test]
fn ports_of_dom0() {
    let options = good("dom0_ioports_disable=60-64,0x3f8-3ff");
    assert_eq!(
        options.dom0_ioports_disable[..],
        [(0x60, 0x64), (0x3f8, 0x3ff)]
    );
    for text in ["60", "64-60", "60-10000", "x-y"] {
        assert!(complaint(&alloc::format!("dom0_ioports_disable={text}")).contains("hexadecimal"));
    }
}

#[test]
fn stamps() {
    assert_eq!(good("console_timestamps").stamp, Stamp::Date);
    assert_eq!(good("no-console_timestamps").stamp, Stamp::None);
    assert_eq!(good("console_timestamps=boot").stamp, Stamp::Boot);
    assert!(complaint("console_timestamps=late").contains("datems"));
}

#[test]
fn log_levels() {
    let limits = good("guest_loglvl=error/info").guest_loglvl;
    assert_eq!(
        limits,
        LogLimits {
            always: Level::Error,
            limited: Level::Info
        }
    );
    assert_eq!(
        good("loglvl=none").loglvl,
        LogLimits {
            always: Level::None,
            limited: Level::None
        }
    );
    assert!(
        complaint("loglvl=loud").starts_with("parameter \"loglvl\" has invalid value \"loud\"")
    );
}

#[test]
fn consoles() {
    assert_eq!(good("console=none").console, None);
    assert_eq!(good("console=com1,com2").console, Some(Port::Com2));
    for (line, console) in [
        ("console=com3", Some(Port::Com1)),
        ("console=vga", Some(Port::Com1)),
        ("console=com2,vga", Some(Port::Com2)),
        ("console=none,vga", Some(Port::Com1)),
        ("console=com2H", Some(Port::Com2)),
    ] {
        let (options, warnings) = parse(line);
        assert_eq!((options.console, warnings.len()), (console, 1), "{line}");
    }
    assert_eq!(
        good("conswitch=bx").conswitch,
        Switch {
            key: Some(b'b'),
            starts_here: true
        }
    );
    assert_eq!(good("conswitch=0").conswitch.key, None);
}

#[test]
fn mitigations() {
    assert_eq!(
        good("xpti=dom0=false,domu").xpti,
        Xpti {
            dom0: Some(false),
            domu: Some(true)
        }
    );
    assert_eq!(
        good("no-xpti").xpti,
        Xpti {
            dom0: Some(false),
            domu: Some(false)
        }
    );
    assert_eq!(good("spec-ctrl=no").spec_ctrl.thunk, Some(Thunk::Jmp));
    assert_eq!(good("spec-ctrl=no-xen").spec_ctrl.ibrs, Some(false));
    let spec = good("spec-ctrl=no-ibrs,ibpb=on,bti-thunk=retpoline").spec_ctrl;
    assert_eq!(
        (spec.ibrs, spec.ibpb, spec.thunk),
        (Some(false), Some(true), Some(Thunk::Retpoline))
    );
    assert!(complaint("spec-ctrl=hope").contains("hope"));
}

#[test]
fn rebooting() {
    let reset = |line: &str| good(line).reset;
    assert_eq!(reset("reboot=acpi").first, Some(ResetMethod::Acpi));
    assert_eq!(reset("reboot=t,w").first, Some(ResetMethod::Triple));
    assert!(reset("reboot=t,w").warm && !reset("reboot=w,c").warm);
    assert_eq!(reset("reboot=pci").first, Some(ResetMethod::Pci));
    assert_eq!(reset("reboot=Power").first, Some(ResetMethod::Power));
    assert!(good("reboot=no").noreboot);
    assert!(complaint("reboot=zzz").contains("expected"));
    assert!(complaint("reboot=efi").contains("EFI"));
}

#[test]
fn unknown_and_ignored_options_are_named() {
    assert_eq!(
        complaint("frobnicate=1"),
        "parameter \"frobnicate\" unknown!"
    );
    assert_eq!(
        complaint("no-frobnicate"),
        "parameter \"no-frobnicate\" unknown!"
    );
    assert!(complaint("edd=off").starts_with("parameter \"edd\" has no effect: "));
    assert!(complaint("no-real-mode").starts_with("parameter \"no-real-mode\" has no effect: "));
    assert!(
        complaint("ivrs_hpet[0]=0:1.2").starts_with("parameter \"ivrs_hpet[0]\" has no effect")
    );
    assert_eq!(good("dom0=pvh").dom0_mode, Dom0Mode::Pvh);
    assert!(good("dom0=pv,no-pvh,verbose").dom0_verbose);
    let (_, warnings) = parse("a=b =c ,");
    assert_eq!(warnings.len(), 3);
}

#[test]
fn the_rest_is_for_dom0() {
    let options = good("noreboot -- quiet nosmp");
    assert_eq!(
        (options.dom0_extra.as_str(), options.maxcpus),
        ("quiet nosmp", None)
    );
}

#[test]
fn image_names_go() {
    assert_eq!(without_image_name(" target/xenios  a b ", "qemu"), "a b");
    assert_eq!(without_image_name("target/xenios", "qemu"), "");
    assert_eq!(without_image_name("a b", "GRUB 2.12"), "a b");
}

#[test]
fn the_page_of_options_names_all_that_are_obeyed_and_no_other() {
    let page = include_str!("../../../docs/options.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let cells: alloc::string::String = rows.filter_map(|row| row.split('|').nth(1)).collect();
    // Odd pieces are what stands between backticks.
    let quoted = cells.split('`').skip(1).step_by(2);
    let documented: Vec<_> = quoted
        .map(|text| text.split('=').next().unwrap_or(text))
        .filter(|name| table::find(name).is_some())
        .collect();
    for (name, status) in STATUS {
        let obeyed = matches!(status, Status::Implemented(_));
        // A value may be another option's name; the scheduler's are not obeyed yet.
        let exempt = ["hpet", "acpi", "pci"].contains(name);
        assert!(obeyed == documented.contains(name) || exempt, "{name}");
    }
}

#[test]
fn no_name_stands_twice_in_the_table() {
    let mut names: Vec<_> = STATUS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), STATUS.len());
}

#[test]
fn hostile_lines_do_not_panic() {
    let pieces = [
        "=",
        ",",
        "-",
        "/",
        "%",
        "+",
        "é",
        "0x",
        "no-",
        "max:",
        "99999999999999999999",
        "\0",
    ];
    for (name, _) in STATUS {
        for a in pieces {
            for b in pieces {
                let _ = parse(&alloc::format!("{name}={a}{b} {name}{a}{b} {a}{name}{b}"));
            }
        }
    }
    let _ = vec![parse(" -- "), parse("--"), parse(" --  -- ")];
}

#[test]
fn the_scheduler_is_chosen() {
    use crate::sched::Kind;
    assert_eq!(parse("").0.sched, Kind::Credit2);
    for (line, kind) in [
        ("sched=credit2", Kind::Credit2),
        ("sched=null", Kind::Null),
        ("sched=rtds", Kind::Rtds),
    ] {
        let (options, warnings) = parse(line);
        assert_eq!((options.sched, warnings.len()), (kind, 0));
    }
    for line in ["sched=credit", "sched=arinc653", "sched=x", "sched"] {
        let (options, warnings) = parse(line);
        assert_eq!((options.sched, warnings.len()), (Kind::Credit2, 1));
    }
    let warning = parse("sched=credit").1.remove(0).to_string();
    assert!(warning.contains("credit2"), "{warning}");
    assert_eq!(parse("sched_ratelimit_us=2500").0.sched_ratelimit_us, 2500);
    assert_eq!(parse("sched_ratelimit_us=0").0.sched_ratelimit_us, 0);
    assert_eq!(parse("sched_ratelimit_us=99").0.sched_ratelimit_us, 1000);
    assert!(parse("sched-gran=cpu").1.is_empty());
    assert_eq!(parse("sched-gran=core").1.len(), 1);
}
