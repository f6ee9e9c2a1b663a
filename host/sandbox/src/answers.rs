//! One answer of every verb, for the tests of readers and of probes. Nothing else uses it.
//!
//! Knows: what programs on real machines print. Must not know: how it is read.

use bailiwick_core::model::Verb;

/// Recorded on Debian 12: exit status and stdout of every verb that observes. Each has something to read in every field; it
/// need not be healthy.
pub const RECORDED: &[(Verb, u32, &str)] = &[
    (
        Verb::SystemIdentity,
        0,
        "/proc/sys/kernel/hostname:vm\n/proc/sys/kernel/osrelease:6.18.44-fc\n/etc/os-release:PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n\
         /etc/os-release:VERSION_ID=\"12\"\n/etc/os-release:ID=debian\n",
    ),
    (
        Verb::SystemUptime,
        2,
        "/proc/uptime:961.87 1036.63\n/run/reboot-required:*** System restart required ***\n/run/reboot-required.pkgs:linux-image-amd64\n",
    ),
    (Verb::SystemLoad, 0, "/proc/loadavg:0.65 1.37 0.79 2/89 13375\n/sys/devices/system/cpu/online:0-3,8\n"),
    (
        Verb::SystemMemory,
        0,
        "/proc/meminfo:MemTotal:       24684084 kB\n/proc/meminfo:MemFree:        22361808 kB\n/proc/meminfo:MemAvailable:   24250152 kB\n\
         /proc/meminfo:SwapCached:            0 kB\n/proc/meminfo:SwapTotal:             8 kB\n/proc/meminfo:SwapFree:              4 kB\n\
         /proc/meminfo:HugePages_Total:       0\n",
    ),
    (
        Verb::SystemFilesystems,
        1,
        "Filesystem              Type        1B-blocks        Used       Avail   Inodes  IUsed    IFree Mounted on\n\
         devtmpfs                devtmpfs  12630487040           0 12630487040  3083615    114  3083501 /dev\n\
         my own source           fuse.x           4096        4096          -1        -      -        - /srv/two words\n\
         /dev/vda                ext4     270553174016 14266224640 83306524672 16777216 463245 16313971 /\n",
    ),
    (Verb::SystemTimeSync, 0, "Timezone=Etc/UTC\nNTP=yes\nNTPSynchronized=no\n"),
    (Verb::SystemClock, 0, "2026-11-22T04:39:55,419268365+00:00\n"),
    (
        Verb::ServicesUsage,
        0,
        "MemoryCurrent=4739072\nCPUUsageNSec=1523067000\nTasksCurrent=1\nIOReadBytes=18446744073709551615\n\
         IOWriteBytes=[not set]\nId=ssh.service\nLoadState=loaded\nActiveState=active\nActiveEnterTimestampMonotonic=6021875\n",
    ),
    (
        Verb::SystemLogins,
        0,
        "root     tty1         Nov 21 10:36\nalice    pts/0        Nov 21 12:00 (192.0.2.17)\n\
         averyveryverylongusernameindeed pts/1        Nov 21 12:01 (very-long-host-name.some.example.org)\n\
         bob      sshd pts/2   2026-10-22 12:00 (2001:db8::17)\n",
    ),
    (Verb::FilesRead, 0, "anything\nat all"),
    (Verb::FilesStat, 0, "81a4,380289,1795296195,root,adm\n"),
    (
        Verb::ServicesStatus,
        0,
        "Result=exit-code\nNRestarts=2\nExecMainExitTimestampMonotonic=916225212\nExecMainStatus=3\nMemoryCurrent=[not set]\n\
         Id=bw-broken.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nUnitFileState=enabled\n\
         StateChangeTimestampMonotonic=916225905\n",
    ),
    (
        Verb::ServicesFailed,
        0,
        "bw-broken.service loaded failed failed A service that always fails\nx.mount not-found failed failed x.mount\n",
    ),
    (
        Verb::ServicesLogs,
        0,
        concat!(
            r#"{"MESSAGE":"quote \" and \\","PRIORITY":"3","__REALTIME_TIMESTAMP":"1795296408353790","_BOOT_ID":"c7"}"#,
            "\n",
            r#"{"MESSAGE":[255,254,32,108],"PRIORITY":"4","__REALTIME_TIMESTAMP":"1795296408353790"}"#,
            "\n",
            r#"{"MESSAGE":null,"PRIORITY":["2","7"],"__REALTIME_TIMESTAMP":"1795296408353790"}"#,
            "\n"
        ),
    ),
    (
        Verb::NetworkListeners,
        2,
        "/proc/net/tcp:   0: 0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000   113        0 1061 1 00000000857d0ccc 100 0 0 10 0\n\
         /proc/net/tcp:   1: 0100007F:000A 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 1062 1 00000000857d0ccc 20 4 0 10 -1\n\
         /proc/net/tcp6:   0: B80D0120000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9 1 0 100 0 0 10 0\n\
         /proc/net/udp:   5: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 7 2 0 0\n",
    ),
    (
        Verb::ContainersList,
        0,
        concat!(
            r#"{"Command":"\"sleep\"","ID":"1fa9","Image":"localhost/bb:1","Labels":"","Names":"sick","State":"running","Status":"Up 21 seconds (unhealthy)"}"#,
            "\n",
            r#"{"Command":"\"false\"","ID":"3cd3","Image":"localhost/bb:1","Labels":"a=b","Names":"broken","State":"exited","Status":"Exited (3) 20 seconds ago"}"#,
            "\n"
        ),
    ),
    (Verb::ContainersStatus, 0, include_str!("host/containers/podman-inspect-sick.json")),
    (Verb::ContainersLogs, 0, "2026-11-22T04:17:25.130432305Z trying\n2026-11-22T04:17:26+01:00 again\n"),
    (Verb::CommandsRun, 0, "all pools are healthy\n"),
    (Verb::PackagesPending, 0, include_str!("host/packages/apt-dist-upgrade.txt")),
    (Verb::PackagesLists, 1, "1795295885,/var/lib/apt/lists\n1795320764,/var/lib/apt/lists/partial\n"),
    (
        Verb::PostgresDatabases,
        0,
        "datname\tbytes\tdatistemplate\tfrozen_age\n\"\tmarket\"\t226492416\tf\t20\n\"\todd\"\",\nname\"\t␀\tf\t20\n\"\ttemplate0\"\t7471619\tt\t20\n",
    ),
    (
        Verb::PostgresActivity,
        0,
        "complete\tslots\treserved\tclients\town\tpid\tbackend_type\tdatname\tusename\tapplication_name\tstate\twait_event_type\ttransaction_s\tstate_s\n\
         t\t100\t3\t2\tf\t5510\t\"\tclient backend\"\t\"\tmarket\"\t\"\ttrader\"\t\"\tpsql\"\tidle in transaction\tClient\t754.110\t700.002\n\
         t\t100\t3\t2\tt\t5562\t\"\tclient backend\"\t\"\tpostgres\"\t\"\tbailiwick\"\t\"\tbailiwick\"\tactive\t␀\t0.003\t0.003\n\
         t\t100\t3\t2\tf\t5500\t\"\tautovacuum worker\"\t\"\tmarket\"\t␀\t\"\t\"\tactive\t␀\t-0.001\t0.002\n",
    ),
    (
        Verb::PostgresSettings,
        0,
        "name\tsetting\tunit\tsource\tpending_restart\n\
         \"\tfsync\"\t\"\ton\"\t␀\tdefault\tf\n\
         \"\tshared_buffers\"\t\"\t16384\"\t8kB\tconfiguration file\tt\n",
    ),
    (
        Verb::PostgresReplication,
        0,
        "complete\tkind\tname\tstate\tdetail\tbytes\tseconds\n\
         t\tserver\t␀\tprimary\t␀\t␀\t␀\n\
         t\tstandby\t\"\tcopy\"\tstreaming\tasync\t6511728\t0.107\n\
         t\tslot\t\"\tcopy\"\tactive\treserved\t0\t␀\n",
    ),
    (
        Verb::PostgresLocks,
        0,
        "complete\tpid\tbackend_type\tdatname\tusename\tapplication_name\tlocktype\tmode\trelation\twaiting_s\tby_pid\tby_kind\tby_user\tby_application\tby_state\tby_transaction_s\n\
         t\t31370\t\"\tclient backend\"\t\"\tmarket\"\t\"\tpostgres\"\t\"\tcompression policy\"\trelation\tAccessExclusiveLock\t\"\tpublic.ticks\"\t41.232\t31356\t\"\tclient backend\"\t\"\ttrader\"\t\"\tpsql\"\tidle in transaction\t63.377\n\
         t\t31370\t\"\tclient backend\"\t\"\tmarket\"\t\"\tpostgres\"\t\"\tcompression policy\"\trelation\tAccessExclusiveLock\t\"\tpublic.ticks\"\t41.232\t31357\t\"\tclient backend\"\t\"\tgrafana\"\t\"\t\"\tactive\t2.000\n\
         t\t31380\t\"\tclient backend\"\t\"\tmarket\"\t\"\tgrafana\"\t\"\t\"\trelation\tAccessShareLock\t\"\tpublic.ticks\"\t␀\t0\t␀\t␀\t␀\t␀\t␀\n",
    ),
    (
        Verb::PostgresQuery,
        0,
        "job\tfailures\tlate\t\"a,\"\"b\"\n\"compress\nticks\"\t2\tt\t␀\nretention\t-1.5e+20\tf\t\nColumn\tType\njob\ttext\nfailures\tnumeric(10,2)\nlate\tboolean\n\"a,\"\"b\"\ttext\n",
    ),
    (
        Verb::LogsSinceLastRun,
        0,
        concat!(
            r#"{"MESSAGE":"lost connection","PRIORITY":"3","__REALTIME_TIMESTAMP":"1795296408353790","_BOOT_ID":"c7"}"#,
            "\n",
            r#"{"MESSAGE":[255,254,32,108],"PRIORITY":"4","__REALTIME_TIMESTAMP":"1795296408353790"}"#,
            "\n"
        ),
    ),
    (
        Verb::HttpGet,
        0,
        "HTTP/1.0 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 30\r\n\r\nPrometheus Server is Healthy.\n",
    ),
    (Verb::CertificatesFile, 0, include_str!("host/certificates/ed25519.pem")),
    (Verb::CertificatesServer, 0, include_str!("host/certificates/s_client-tls13.txt")),
];

/// Healthy answers, of the verbs whose recorded answer is not healthy, or has no place on the target that the tests of
/// built-in probes have.
const HEALTHY: &[(Verb, u32, &str)] = &[
    (Verb::SystemUptime, 0, "/proc/uptime:96187.5 1036.63\n"),
    (Verb::SystemLoad, 0, "/proc/loadavg:0.65 1.37 0.79 2/89 13375\n/sys/devices/system/cpu/online:0-3\n"),
    (
        Verb::SystemMemory,
        0,
        "/proc/meminfo:MemTotal:  4096 kB\n/proc/meminfo:MemFree:  4096 kB\n/proc/meminfo:MemAvailable:  4096 kB\n\
         /proc/meminfo:SwapTotal:  4096 kB\n/proc/meminfo:SwapFree:  4096 kB\n",
    ),
    (
        Verb::SystemFilesystems,
        0,
        "Filesystem Type 1B-blocks Used Avail Inodes IUsed IFree Mounted on\n/dev/vda   ext4 4096000 96000 4000000 100 10 90 /\n",
    ),
    (Verb::SystemTimeSync, 0, "Timezone=Etc/UTC\nNTP=yes\nNTPSynchronized=yes\n"),
    (Verb::SystemLogins, 0, ""),
    (Verb::SystemClock, 0, "2026-11-21T21:26:48,000000000+00:00\n"),
    (Verb::FilesStat, 0, "81a4,380289,1795296000,root,root\n"),
    (
        Verb::ServicesStatus,
        0,
        "Result=success\nNRestarts=0\nExecMainExitTimestampMonotonic=0\nExecMainStatus=0\n\
         MemoryCurrent=[not set]\nId=cron.service\nLoadState=loaded\nActiveState=active\nSubState=running\n\
         UnitFileState=enabled\nStateChangeTimestampMonotonic=916218301\n",
    ),
    (Verb::ServicesFailed, 0, ""),
    (Verb::ServicesLogs, 0, ""),
    (
        Verb::ServicesUsage,
        0,
        "Id=ssh.service\nLoadState=loaded\nActiveState=active\nActiveEnterTimestampMonotonic=5000000\n\
         CPUUsageNSec=1000000000\nMemoryCurrent=4194304\nMemoryPeak=8388608\nTasksCurrent=1\n",
    ),
    (Verb::NetworkListeners, 1, ""),
    (
        Verb::ContainersList,
        0,
        "{\"Names\":\"web\",\"Image\":\"i\",\"State\":\"running\",\"Status\":\"Up 3 hours (healthy)\"}\n",
    ),
    (
        Verb::ContainersStatus,
        0,
        "[{\"Name\":\"web\",\"ImageName\":\"i\",\"RestartCount\":0,\"State\":{\"Status\":\"running\",\
         \"ExitCode\":0,\"OOMKilled\":false,\"StartedAt\":\"2026-11-21T12:00:00Z\",\"FinishedAt\":\"0001-01-01T00:00:00Z\",\
         \"Health\":{\"Status\":\"healthy\",\"FailingStreak\":0,\"Log\":null}}}]\n",
    ),
    (Verb::ContainersLogs, 0, "2026-11-21T12:00:00Z ready\n"),
    (Verb::CommandsRun, 0, "all 42 are well\n"),
    (Verb::PackagesPending, 0, ""),
    (Verb::PackagesLists, 0, "1795295885,/var/lib/apt/lists\n1795295885,/var/lib/apt/lists/partial\n"),
    (Verb::PostgresDatabases, 0, "datname\tbytes\tdatistemplate\tfrozen_age\n\"\tmarket\"\t226492416\tf\t20\n"),
    (
        Verb::PostgresActivity,
        0,
        "complete\tslots\treserved\tclients\town\tpid\tbackend_type\tdatname\tusename\t\
         application_name\tstate\twait_event_type\ttransaction_s\tstate_s\n\
         t\t100\t3\t1\tt\t5562\t\"\tclient backend\"\t\"\tpostgres\"\t\"\tbw\"\t\"\tbailiwick\"\tactive\t␀\t0.003\t0.003\n",
    ),
    (
        Verb::PostgresSettings,
        0,
        "name\tsetting\tunit\tsource\tpending_restart\n\"\tfsync\"\t\"\ton\"\t␀\tdefault\tf\n\
         \"\tfull_page_writes\"\t\"\ton\"\t␀\tdefault\tf\n\"\tautovacuum\"\t\"\ton\"\t␀\tdefault\tf\n",
    ),
    (
        Verb::PostgresReplication,
        0,
        "complete\tkind\tname\tstate\tdetail\tbytes\tseconds\nt\tserver\t␀\tprimary\t␀\t␀\t␀\n",
    ),
    (
        Verb::PostgresLocks,
        0,
        "complete\tpid\tbackend_type\tdatname\tusename\tapplication_name\tlocktype\tmode\trelation\twaiting_s\t\
         by_pid\tby_kind\tby_user\tby_application\tby_state\tby_transaction_s\n\
         t\t␀\t␀\t␀\t␀\t␀\t␀\t␀\t␀\t␀\t␀\t␀\t␀\t␀\t␀\t␀\n",
    ),
    (
        Verb::PostgresQuery,
        0,
        "job\tfailures\tvalue\nretention\t0\t0\nColumn\tType\njob\ttext\nfailures\tbigint\nvalue\tbigint\n",
    ),
    (Verb::FilesRead, 0, "2026-11-21T21:20:00Z\n"),
    (Verb::LogsSinceLastRun, 0, ""),
    (Verb::HttpGet, 0, "HTTP/1.0 200 OK\r\n\r\nok"),
    // Ten years, of RSA with 2,048 bits.
    (Verb::CertificatesFile, 0, include_str!("host/certificates/rsa.pem")),
    (
        Verb::CertificatesServer,
        0,
        concat!(
            "CONNECTED(00000003)\n---\nCertificate chain\n 0 s:CN = www.example.org\n   i:CN = www.example.org\n",
            include_str!("host/certificates/rsa.pem"),
            "---\nNew, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384\nVerify return code: 0 (ok)\n---\n",
        ),
    ),
];

/// What a healthy target answers: exit status and stdout. Empty for a verb that changes something.
#[must_use]
pub fn healthy(verb: Verb) -> (u32, &'static str) {
    let row = HEALTHY.iter().chain(RECORDED).find(|(known, ..)| *known == verb);
    row.map_or((0, ""), |(_, status, text)| (*status, *text))
}
