"""Boots Debian's stock kernel under qemu; the tests of tests/vm/guest run in it.

    vm.py REPORT.xml [ARGUMENT OF PYTEST...]

The kernel comes from its Debian package, which is unpacked below build/vm and not
installed. The guest sees this machine's files, read-only under a layer of its own
memory, so that it has the same programs. Its console is printed; the report of
pytest goes to REPORT.xml. Exit code 77, and a line that begins with SKIPPED, where
the kernel cannot be had. The processor is emulated: that works everywhere, and the
tests wait for conditions and not for times.
"""

import pathlib
import shlex
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
CACHE = REPOSITORY / "build/vm"
METAPACKAGE = "linux-image-amd64"
# What the first process of the guest loads to reach the files; the rest loads itself.
BOOT_MODULES = ["9p", "9pnet_virtio", "virtio_pci", "overlay"]
UNPACKED = ["./boot/vmlinuz-*", "./lib/modules/*/modules.*",
            *(f"./lib/modules/*/kernel/{part}/*" for part in
              ("arch", "crypto", "fs", "lib", "net", "drivers/net", "drivers/virtio"))]
TIME_LIMIT_S = 3600
SKIPPED = 77


class NotToBeHad(Exception):
    """The kernel's package; says why."""


def output(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def package_name():
    """Of the kernel that the metapackage stands for."""
    for line in output("apt-cache", "depends", METAPACKAGE).splitlines():
        word, _, name = line.strip().partition(" ")
        if word == "Depends:" and name.startswith("linux-image-"):
            return name
    raise NotToBeHad(f"apt knows no {METAPACKAGE}")


def unpack(package):
    """Downloads the package and unpacks of it what is needed."""
    new = CACHE / "new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    output("apt-get", "-qq", "download", package, cwd=new)
    (archive,) = new.glob("*.deb")
    content = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
    output("tar", "-x", "-C", new, "--wildcards", *UNPACKED, stdin=content.stdout)
    content.communicate()
    archive.unlink()
    new.rename(CACHE / package)


def kernel():
    """The folder of the unpacked kernel: Debian's newest, or without a network the
    one that is there."""
    if output("dpkg", "--print-architecture").strip() != "amd64":
        raise NotToBeHad("the guest has this machine's programs, and is an amd64 one")
    try:
        output("apt-get", "-qq", "update")
        name = package_name()
        if not (CACHE / name).is_dir():
            unpack(name)
        return CACHE / name
    except (subprocess.CalledProcessError, NotToBeHad) as error:
        left = sorted(CACHE.glob("linux-image-*"), key=lambda folder: folder.stat().st_mtime)
        if left:
            return left[-1]
        reason = getattr(error, "stderr", None) or str(error)
        raise NotToBeHad(f"the package of {METAPACKAGE}: {reason.strip()}") from error


def make_initramfs(root, version, arguments, file):
    """busybox, the modules for the guest's files, and the file `init`."""
    tree = CACHE / "initramfs"
    shutil.rmtree(tree, ignore_errors=True)
    for folder in ("bin", "modules", "host", "memory", "root", "dev"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), tree / "bin")
    shutil.copy(HERE / "init", tree)
    output("depmod", "-b", root, version)
    wanted = []
    for module in BOOT_MODULES:
        for line in output("modprobe", "-d", root, "-S", version, "--show-depends",
                           module).splitlines():
            word, path = line.split()[:2]
            if word == "insmod" and path not in wanted:
                wanted.append(path)
    for number, path in enumerate(wanted):  # in the order in which they are to be loaded
        shutil.copy(path, tree / f"modules/{number:02}.ko")
    (tree / "settings").write_text(f"REPOSITORY={shlex.quote(str(REPOSITORY))}\n"
                                   f"MODULES={shlex.quote(str(root / 'lib/modules'))}\n"
                                   f"set -- {shlex.join(arguments)}\n")
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    with file.open("wb") as archive:
        subprocess.run(["busybox", "cpio", "-o", "-H", "newc"], check=True, cwd=tree,
                       input=names.encode(), stdout=archive, stderr=subprocess.DEVNULL)


# Without watchdogs, and checks of timers: a processor that the host gives no time for
# long is not stuck.
def boot(root, version, initramfs, report):
    subprocess.run([
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "3G",
        "-nodefaults", "-no-reboot", "-nographic", "-serial", "stdio", "-serial", f"file:{report}",
        "-kernel", root / f"boot/vmlinuz-{version}", "-initrd", initramfs,
        "-append", "console=ttyS0 quiet panic=-1 no_timer_check nowatchdog "
                   "rcupdate.rcu_cpu_stall_suppress=1",
        "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
    ], check=False, stdin=subprocess.DEVNULL, timeout=TIME_LIMIT_S)


def main():
    report = pathlib.Path(sys.argv[1]).resolve()
    try:
        root = kernel()
    except NotToBeHad as error:
        print(f"SKIPPED: {error}")
        return SKIPPED
    version = next((root / "lib/modules").iterdir()).name
    initramfs = CACHE / "initramfs.cpio"
    make_initramfs(root, version, sys.argv[2:] or ["tests/vm/guest"], initramfs)
    boot(root, version, initramfs, report)
    text = report.read_text()
    return 0 if 'errors="0" failures="0"' in text else 1


if __name__ == "__main__":
    sys.exit(main())
