using System.Globalization;
using System.Text.Json;
using Npgsql;

namespace TaskService.Tests.Support;

/// <summary>A PostgreSQL server of a cluster, with the agent that starts it and decides what it is.</summary>
internal sealed class PatroniMember : IDisposable
{
    private readonly string directory;
    private readonly ReservedPort port = new();
    private readonly ReservedPort restPort = new();
    private readonly HttpClient rest;
    private PostgresProcess? agent;

    /// <param name="directory">Of the cluster.</param>
    /// <param name="name">In the cluster, and of its own directory.</param>
    /// <param name="configuration">Makes the agent's out of the two ports: PostgreSQL's and its own.</param>
    public PatroniMember(string directory, string name, Func<int, int, string> configuration)
    {
        (this.directory, Name) = (directory, name);
        rest = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{restPort.Number}"), Timeout = Until.Limit };
        File.WriteAllText(Path.Combine(directory, $"{name}.yml"), configuration(port.Number, restPort.Number));
    }

    public string Name { get; }

    /// <summary>Host and port as connection strings have them.</summary>
    public string Address => $"127.0.0.1:{port.Number}";

    /// <summary>What the agent says.</summary>
    public string Log => agent?.Log ?? "";

    /// <summary>Whether its agent runs.</summary>
    public bool IsRunning => agent is { HasExited: false };

    /// <summary>Whether it answers, and not as a standby.</summary>
    public bool IsPrimary => TryQuery("SELECT pg_is_in_recovery()") is false;

    private string Data => Path.Combine(directory, Name);

    public void Start()
    {
        agent?.Dispose();
        agent = PostgresProcess.Start(directory, "patroni", $"{Name}.yml");
    }

    /// <summary>Who is what, as this agent sees it; empty when it does not answer.</summary>
    public Dictionary<string, string> Roles()
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/cluster", UriKind.Relative));
            using var answer = rest.Send(request);
            using var cluster = JsonDocument.Parse(answer.Content.ReadAsStream());
            return cluster.RootElement.GetProperty("members").EnumerateArray().ToDictionary(
                member => member.GetProperty("name").GetString()!,
                member => member.GetProperty("role").GetString()!,
                StringComparer.Ordinal);
        }
        catch (Exception error) when (error is HttpRequestException or JsonException or KeyNotFoundException)
        {
            // It is starting, or cannot ask etcd.
            return [];
        }
    }

    /// <summary>Hands the lead to another one, as planned.</summary>
    public async Task SwitchOverAsync(PatroniMember to)
    {
        var order = RunningService.Json($$"""{"leader":"{{Name}}","candidate":"{{to.Name}}"}""");
        using var answer = await rest.PostAsync(new Uri("/switchover", UriKind.Relative), order);
        var said = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{said}\n{Log}");
    }

    /// <summary>Ends the agent and PostgreSQL at once, as when the machine goes.</summary>
    public void Kill()
    {
        // The agent first: it would start what ends.
        ServiceProcess.TrySignal(agent!.Id, "KILL");
        if (Postmaster() is { } id)
        {
            PostgresProcess.SignalAll(id, "KILL");
        }
        agent.WaitForExit();
    }

    /// <summary>Ends the agent at once; PostgreSQL goes on.</summary>
    public Task KillAgentAsync()
    {
        ServiceProcess.TrySignal(agent!.Id, "KILL");
        return Until.TrueAsync(() => !IsRunning, "an end of the agent");
    }

    /// <summary>Ends the one process of PostgreSQL that all others belong to.</summary>
    public void KillPostmaster() => Assert.True(ServiceProcess.TrySignal(Postmaster()!.Value, "KILL"));

    public object? TryQuery(string sql, string database = "postgres")
    {
        try
        {
            return Query(sql, database);
        }
        catch (NpgsqlException)
        {
            // It is not there, or not yet.
            return null;
        }
    }

    public object? Query(string sql, string database = "postgres")
    {
        using var connection = new NpgsqlConnection(
            $"Host=127.0.0.1;Port={port.Number};Username=postgres;Database={database};Pooling=false");
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        return command.ExecuteScalar();
    }

    /// <summary>Waits until nothing of it runs.</summary>
    public async Task EndAsync()
    {
        if (IsRunning)
        {
            ServiceProcess.TrySignal(agent!.Id, "KILL");
        }
        if (Postmaster() is { } id)
        {
            ServiceProcess.TrySignal(id, "QUIT");
        }
        await Until.TrueAsync(() => !IsRunning && Postmaster() is null, "an end of PostgreSQL");
    }

    public void Dispose()
    {
        agent?.Dispose();
        rest.Dispose();
        restPort.Dispose();
        port.Dispose();
    }

    /// <returns>Null when it does not run.</returns>
    private int? Postmaster()
    {
        try
        {
            var id = File.ReadLines(Path.Combine(Data, "postmaster.pid")).First();
            // After a kill the file stays, and its number may be another process's by now.
            return File.ReadAllText($"/proc/{id}/cmdline").Contains(Data, StringComparison.Ordinal)
                ? int.Parse(id, CultureInfo.InvariantCulture) : null;
        }
        catch (Exception error) when (error is IOException or InvalidOperationException)
        {
            // There is no such file, nothing in it yet, or no such process.
            return null;
        }
    }
}
