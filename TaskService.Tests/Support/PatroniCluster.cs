using System.Text.RegularExpressions;

namespace TaskService.Tests.Support;

/// <summary>
/// A cluster of a test's own, as docs/storage.md sets one up: etcd and two members, of which the leader acknowledges
/// what the other one has, too.
/// </summary>
internal sealed partial class PatroniCluster : IAsyncDisposable
{
    private readonly TemporaryDirectory directory;
    private readonly ReservedPort etcdPort = new();
    private readonly ReservedPort peerPort = new();
    private readonly PostgresProcess etcd;
    private int databases;

    private PatroniCluster(TemporaryDirectory directory)
    {
        this.directory = directory;
        string[] clients = ["--listen-client-urls", Url(etcdPort), "--advertise-client-urls", Url(etcdPort)];
        string[] peers = ["--listen-peer-urls", Url(peerPort), "--initial-advertise-peer-urls", Url(peerPort)];
        etcd = PostgresProcess.Start(
            directory.Path,
            ["etcd", "--data-dir", "etcd", .. clients, .. peers, "--initial-cluster", $"default={Url(peerPort)}"]);
        Members = [.. Names.Select(name => new PatroniMember(
            directory.Path, name, (port, restPort) => Configuration(name, port, restPort)))];

        static string Url(ReservedPort port) => $"http://127.0.0.1:{port.Number}";
    }

    public IReadOnlyList<PatroniMember> Members { get; }

    /// <summary>Who has the lead by what the agents agreed on; null for nobody.</summary>
    public PatroniMember? Leader => Members.FirstOrDefault(
        member => Members.Any(other => other.Roles().GetValueOrDefault(member.Name) == "leader"));

    private static string[] Names { get; } = ["one", "two"];

    public static bool IsInstalled { get; } =
        PostgresServer.IsInstalled && File.Exists("/usr/bin/patroni") && File.Exists("/usr/bin/etcd");

    public static async Task<PatroniCluster> StartAsync()
    {
        var cluster = new PatroniCluster(await PostgresProcess.DirectoryAsync());
        try
        {
            cluster.StartAgents();
            await cluster.IsWholeAsync();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes an empty database, and waits until both members have it.</summary>
    /// <returns>Its name.</returns>
    public async Task<string> CreateDatabaseAsync()
    {
        var name = $"t{Interlocked.Increment(ref databases)}";
        await Until.TrueAsync(() => Leader is not null, "a leader");
        Leader!.Query($"CREATE DATABASE {name}");
        await Until.TrueAsync(
            () => Members.All(member => member.TryQuery("SELECT true", name) is true), "a database on both", Describe);
        return name;
    }

    /// <summary>Starts those that do not run.</summary>
    public void StartAgents()
    {
        foreach (var member in Members.Where(member => !member.IsRunning))
        {
            member.Start();
        }
    }

    /// <summary>Waits until there is a leader, and a standby that may take the lead without a loss.</summary>
    public Task IsWholeAsync() => Until.TrueAsync(IsWhole, "a leader and a standby", Describe);

    public async ValueTask DisposeAsync()
    {
        foreach (var member in Members)
        {
            await member.EndAsync();
            member.Dispose();
        }
        ServiceProcess.TrySignal(etcd.Id, "KILL");
        etcd.WaitForExit();
        etcd.Dispose();
        etcdPort.Dispose();
        peerPort.Dispose();
        directory.Dispose();
    }

    private bool IsWhole() => Members.All(member =>
    {
        Assert.True(member.IsRunning, $"the agent of {member.Name} has ended:\n{member.Log}");
        return member.Roles().Values.Order(StringComparer.Ordinal).SequenceEqual(["leader", "sync_standby"]);
    });

    // What the agents saw, and said last.
    private string Describe() => string.Join('\n', Members.Select(member =>
        $"{member.Name}: {string.Join(", ", member.Roles())}\n{member.Log[^Math.Min(member.Log.Length, 8_000)..]}"));

    // The document's own, so that it works.
    private string Configuration(string name, int port, int restPort)
    {
        var shown = File.ReadAllText(TestRoot.File("docs", "storage.md"));
        return Block().Match(shown).Groups[1].Value
            .Replace(": one\n", $": {name}\n", StringComparison.Ordinal)
            .Replace(":2379", $":{etcdPort.Number}", StringComparison.Ordinal)
            .Replace(":5441", $":{port}", StringComparison.Ordinal)
            .Replace(":8441", $":{restPort}", StringComparison.Ordinal)
            .Replace("/usr/lib/postgresql/15/bin", PostgresProcess.Binaries, StringComparison.Ordinal)
            .Replace("parameters: { ", "parameters: { fsync: 'off', ", StringComparison.Ordinal);
    }

    [GeneratedRegex("```yaml\n(scope: .*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();
}
