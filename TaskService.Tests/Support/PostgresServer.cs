using Npgsql;

namespace TaskService.Tests.Support;

/// <summary>
/// A PostgreSQL server of a test's own, from the installed binaries, on a port of its own, with its data in a temporary
/// directory: started, killed, hung, promoted.
/// </summary>
internal sealed class PostgresServer : IDisposable
{
    // initdb takes 2.5 s of processor time, a copy of its files 1 s.
    private static readonly Lazy<Task<string>> EmptyData = new(InitializeAsync);

    private readonly TemporaryDirectory? own;
    private readonly string data;
    private readonly string[] settings;
    private readonly ReservedPort? reserved;
    private PostgresProcess? process;
    private int databases;

    private PostgresServer(TemporaryDirectory? own, string data, string[] settings, int? port = null)
    {
        (this.own, this.data, this.settings) = (own, data, settings);
        reserved = port is null ? new ReservedPort() : null;
        Port = port ?? reserved!.Number;
    }

    public int Port { get; }

    /// <summary>Host and port as connection strings have them.</summary>
    public string Address => $"127.0.0.1:{Port}";

    public static bool IsInstalled => PostgresProcess.Binaries is not null;

    public static void SkipUnlessInstalled() =>
        Assert.SkipUnless(IsInstalled, "needs PostgreSQL (apt-get install postgresql)");

    /// <summary>A new server without data.</summary>
    /// <param name="settings">Such as <c>max_connections=20</c>; those stay for its whole life.</param>
    public static async Task<PostgresServer> StartAsync(params string[] settings)
    {
        SkipUnlessInstalled();
        var directory = await PostgresProcess.DirectoryAsync();
        var server = new PostgresServer(directory, directory.File("primary"), settings);
        await PostgresProcess.RunAsync("cp", "-a", await EmptyData.Value, server.data);
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>A server that streams from this one.</summary>
    /// <param name="name">Of its slot.</param>
    /// <param name="port">One that another server had; null for a free one.</param>
    public async Task<PostgresServer> StartStandbyAsync(string name = "standby", int? port = null)
    {
        var standby = new PostgresServer(null, Path.Combine(Path.GetDirectoryName(data)!, name), settings, port);
        await PostgresProcess.RunAsync(
            $"{PostgresProcess.Binaries}/pg_basebackup", "-D", standby.data, "-R", "-X", "stream",
            "-C", "-S", name, "-c", "fast", "--no-sync", "-d", $"host=127.0.0.1 port={Port} user=postgres");
        await standby.StartAgainAsync();
        return standby;
    }

    /// <summary>Starts it after its end, and waits until it answers.</summary>
    public async Task StartAgainAsync()
    {
        string[] always = [$"port={Port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"];
        process = PostgresProcess.Start(
            "/",
            [$"{PostgresProcess.Binaries}/postgres", "-D", data,
                .. always.Concat(settings).SelectMany(setting => new[] { "-c", setting })]);
        await Until.TrueAsync(
            () =>
            {
                Assert.False(process.HasExited, $"PostgreSQL has ended:\n{process.Log}");
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

    /// <summary>Makes every commit wait for standbys, from the end of this on.</summary>
    /// <param name="names">As <c>synchronous_standby_names</c> has them.</param>
    public async Task SynchronizeAsync(string names)
    {
        const string setting = "synchronous_standby_names";
        // Until the checkpointer has seen it as well, no commit waits, whatever a connection shows. That it has is to
        // be seen of a commit that waits for nobody.
        await SetAsync(setting, "nobody");
        await using var probe = new NpgsqlConnection(Connection(more: "Pooling=false"));
        await probe.OpenAsync();
        await using var commit = new NpgsqlCommand("SELECT pg_logical_emit_message(true, 'probe', '')", probe);
        using var limit = new CancellationTokenSource(Until.Limit);
        for (var waits = false; !waits;)
        {
            limit.Token.ThrowIfCancellationRequested();
            var committing = commit.ExecuteNonQueryAsync(limit.Token);
            await Until.TrueAsync(
                () => committing.IsCompleted || (waits = IsWaiting(probe.ProcessID)), "a commit that ends or waits");
            if (waits)
            {
                Execute($"SELECT pg_cancel_backend({probe.ProcessID})");
            }
            await committing;
        }
        await SetAsync(setting, names);
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

    /// <returns>The data directory of a server that never ran, kept until the tests end.</returns>
    private static async Task<string> InitializeAsync()
    {
        var directory = await PostgresProcess.DirectoryAsync();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => directory.Dispose();
        var data = directory.File("empty");
        // Its order of texts is a human one, so that the engine's own, ordinal, must be asked for.
        await PostgresProcess.RunAsync(
            $"{PostgresProcess.Binaries}/initdb", "-D", data, "-A", "trust", "-U", "postgres",
            "-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en", "--no-sync");
        return data;
    }

    private bool IsWaiting(int pid) =>
        Query($"SELECT wait_event FROM pg_stat_activity WHERE pid = {pid}") is "SyncRep";

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

    private void SignalAll(string name) => PostgresProcess.SignalAll(process!.Id, name);
}
