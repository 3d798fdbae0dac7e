using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace TaskService.Tests.Support;

/// <summary>
/// A PostgreSQL server of a test's own, from the installed binaries, on a port of its own, with its data in a temporary
/// directory: started, killed, hung, promoted.
/// </summary>
internal sealed class PostgresServer : IDisposable
{
    private readonly TemporaryDirectory? own;
    private readonly string data;
    private readonly string[] settings;
    private readonly ConcurrentQueue<string> log = new();
    private readonly Socket? reserved;
    private Process? process;
    private int databases;

    private PostgresServer(TemporaryDirectory? own, string data, string[] settings, int? port = null)
    {
        (this.own, this.data, this.settings) = (own, data, settings);
        reserved = port is null ? Reserve() : null;
        Port = port ?? ((IPEndPoint)reserved!.LocalEndPoint!).Port;
    }

    public int Port { get; }

    /// <summary>Host and port as connection strings have them.</summary>
    public string Address => $"127.0.0.1:{Port}";

    // The newest version.
    private static string? Binaries { get; } = Directory.Exists("/usr/lib/postgresql")
        ? Directory.GetDirectories("/usr/lib/postgresql").Select(version => $"{version}/bin")
            .Where(bin => File.Exists($"{bin}/postgres"))
            .OrderBy(bin => double.Parse(bin.Split('/')[^2], CultureInfo.InvariantCulture)).LastOrDefault()
        : null;

    // The server refuses to run as root.
    private static string[] AsPostgres { get; } = Environment.IsPrivilegedProcess
        ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : ["env"];

    public static bool IsInstalled => Binaries is not null;

    public static void SkipUnlessInstalled() =>
        Assert.SkipUnless(IsInstalled, "needs PostgreSQL (apt-get install postgresql)");

    /// <summary>A new server without data.</summary>
    /// <param name="settings">Such as <c>max_connections=20</c>; those stay for its whole life.</param>
    public static async Task<PostgresServer> StartAsync(params string[] settings)
    {
        SkipUnlessInstalled();
        var directory = new TemporaryDirectory();
        if (Environment.IsPrivilegedProcess)
        {
            await RunAsync(["chown", "postgres", directory.Path]);
        }
        var server = new PostgresServer(directory, directory.File("primary"), settings);
        // Its order of texts is a human one, so that the engine's own, ordinal, must be asked for.
        await RunAsync([.. AsPostgres, $"{Binaries}/initdb", "-D", server.data, "-A", "trust", "-U", "postgres",
            "-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en", "--no-sync"]);
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>A server that streams from this one.</summary>
    /// <param name="name">Of its slot.</param>
    /// <param name="port">One that another server had; null for a free one.</param>
    public async Task<PostgresServer> StartStandbyAsync(string name = "standby", int? port = null)
    {
        var standby = new PostgresServer(null, Path.Combine(Path.GetDirectoryName(data)!, name), settings, port);
        await RunAsync([.. AsPostgres, $"{Binaries}/pg_basebackup", "-D", standby.data, "-R", "-X", "stream",
            "-C", "-S", name, "-c", "fast", "--no-sync", "-d", $"host=127.0.0.1 port={Port} user=postgres"]);
        await standby.StartAgainAsync();
        return standby;
    }

    /// <summary>Starts it after its end, and waits until it answers.</summary>
    public async Task StartAgainAsync()
    {
        string[] always = [$"port={Port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"];
        var start = new ProcessStartInfo(AsPostgres[0])
        {
            WorkingDirectory = "/",
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        foreach (var argument in AsPostgres.Skip(1).Concat([$"{Binaries}/postgres", "-D", data])
            .Concat(always.Concat(settings).SelectMany(setting => new[] { "-c", setting })))
        {
            start.ArgumentList.Add(argument);
        }
        process = Process.Start(start)!;
        process.ErrorDataReceived += (_, line) => log.Enqueue(line.Data ?? "");
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        await Until.TrueAsync(
            () =>
            {
                Assert.False(process.HasExited, $"PostgreSQL has ended:\n{string.Join('\n', log)}");
                return Answers();
            },
            "a PostgreSQL that answers");
    }

    /// <summary>A connection string with a user who may do everything.</summary>
    public string Connection(string database = "postgres", string more = "") =>
        $"Host=127.0.0.1;Port={Port};Username=postgres;Database={database};{more}";

    /// <summary>Makes an empty database.</summary>
    /// <returns>Its name.</returns>
    public string CreateDatabase()
    {
        var name = $"t{Interlocked.Increment(ref databases)}";
        Execute($"CREATE DATABASE {name}");
        return name;
    }

    public void Execute(string sql, string database = "postgres") => Query(sql, database);

    /// <returns>The first column of the first row.</returns>
    public object? Query(string sql, string database = "postgres")
    {
        using var connection = new NpgsqlConnection(
            // A test that stalls a standby does not wait for it itself.
            Connection(database, "Pooling=false;Options=-c synchronous_commit=local"));
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        return command.ExecuteScalar();
    }

    /// <summary>Changes a setting of the running server.</summary>
    public void Set(string name, string value)
    {
        Execute($"ALTER SYSTEM SET {name} = '{value}'");
        Execute("SELECT pg_reload_conf()");
    }

    /// <summary>Changes a setting of the running server, and waits until new connections have it.</summary>
    public async Task SetAsync(string name, string value)
    {
        Set(name, value);
        await Until.TrueAsync(() => (string?)Query($"SHOW {name}") == value, $"{name} to be {value}");
    }

    /// <summary>Ends all of its processes at once, as a crash does.</summary>
    public void Kill()
    {
        SignalAll("KILL");
        process!.WaitForExit();
    }

    /// <summary>Lets all of its processes hang until <see cref="Resume"/>.</summary>
    public void Hang() => SignalAll("STOP");

    public void Resume() => SignalAll("CONT");

    /// <summary>Makes a standby the primary.</summary>
    public void Promote() => Assert.Equal(true, Query("SELECT pg_promote(wait => true, wait_seconds => 60)"));

    public void Dispose()
    {
        if (process is { HasExited: false })
        {
            SignalAll("CONT");
            ServiceProcess.TrySignal(process.Id, "QUIT");
            process.WaitForExit();
        }
        process?.Dispose();
        reserved?.Dispose();
        own?.Dispose();
    }

    /// <summary>
    /// Keeps a port for this server while it is down, too, by its number in UDP: another server of the tests, in this
    /// process or another one, would else answer in its place. It is none that the system gives to anybody.
    /// </summary>
    private static Socket Reserve()
    {
        while (true)
        {
            var address = new IPEndPoint(IPAddress.Loopback, Random.Shared.Next(20_000, 32_000));
            var reserved = new Socket(SocketType.Dgram, ProtocolType.Udp);
            using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                reserved.Bind(address);
                listener.Bind(address);
                return reserved;
            }
            catch (SocketException)
            {
                // It is in use.
                reserved.Dispose();
            }
        }
    }

    private static async Task RunAsync(string[] command)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            WorkingDirectory = "/",
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{string.Join(' ', command)}:\n{await output}{errors}");
    }

    private bool Answers()
    {
        try
        {
            Query("SELECT 1");
            return true;
        }
        catch (NpgsqlException)
        {
            // It is still starting.
            return false;
        }
    }

    private void SignalAll(string name)
    {
        // The postmaster first: it would replace what ends. And its children are not found by it any more when it has.
        var children = Children(process!.Id).ToList();
        ServiceProcess.TrySignal(process.Id, name);
        foreach (var child in children)
        {
            ServiceProcess.TrySignal(child, name);
        }
    }

    private static IEnumerable<int> Children(int parent)
    {
        foreach (var directory in Directory.GetDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), out var id) && ParentOf(id) == parent)
            {
                yield return id;
            }
        }
    }

    private static int? ParentOf(int id)
    {
        try
        {
            // pid (name) state parent …
            var stat = File.ReadAllText($"/proc/{id}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 1)..].Split(' ')[2], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // It has ended meanwhile.
            return null;
        }
    }
}
