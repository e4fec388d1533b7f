// What packages look up about the machine. It is the same everywhere: a script knows nothing of its server.
(function () {
  "use strict";
  return {
    EOL: "\n", devNull: "/dev/null",
    constants: { signals: { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 }, errno: {}, priority: {}, dlopen: {} },
    arch: () => "x64", platform: () => "linux", type: () => "Linux", release: () => "", version: () => "", machine: () => "x86_64",
    hostname: () => "localhost", homedir: () => "/", tmpdir: () => "/tmp", endianness: () => "LE",
    uptime: () => 0, loadavg: () => [0, 0, 0], totalmem: () => 0, freemem: () => 0, cpus: () => [], availableParallelism: () => 1,
    networkInterfaces: () => ({}), userInfo: () => ({ uid: -1, gid: -1, username: "", homedir: "/", shell: null }),
    getPriority: () => 0, setPriority: () => {},
  };
});
