using System.Buffers.Text;
using System.Data.Common;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Storage;
using TaskService.Storage.Sql;
using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Exporters.Statsd;
using TaskService.Telemetry.Operations;

namespace TaskService.Hosting;

/// <summary>Counts the rows of tables, and hands the numbers over to statsd and Prometheus.</summary>
internal static class StatsDb
{
    private const string Sqlite = "sqlite:";
    private const int ExtraRowsMax = 1_000;

    private static readonly TimeSpan PushTimeMax = TimeSpan.FromSeconds(10);

    /// <param name="options">Of the command line.</param>
    /// <param name="addSections">Reads the sections of others.</param>
    /// <param name="output">Gets a line for each number where no other target is named.</param>
    /// <returns>The exit code: <see cref="ExitCodes.Failed"/> when a number is missing or was not sent.</returns>
    /// <exception cref="ConfigException">The configuration is wrong.</exception>
    /// <exception cref="StorageException">The database cannot be read.</exception>
    public static async Task<int> RunAsync(
        StatsDbOptions options, Func<OtherSections, OtherSections> addSections, TextWriter output)
    {
        await using var engine = options.Database is { } named
            ? Read(named)
            : Settings.Load(new CommandLineOptions(options.ConfigFile, Settings: options.Settings), addSections)
                .Settings.CreateEngine(NullLoggerFactory.Instance);
        if (engine.Database is not { } database)
        {
            throw new StorageException(
                ErrorKind.StorageUnavailable, "task-db: this storage engine has no tables; sqlite and postgres have");
        }
        var numbers = new Numbers();
        try
        {
            await using var connection = await database.OpenAsync(CancellationToken.None);
            var schemas = options.Schemas.Count > 0 ? options.Schemas
                : await database.DefaultSchemaAsync(connection, CancellationToken.None) is { } schema ? [schema]
                : throw new StorageException(ErrorKind.StorageUnavailable, "the search path names no schema: --schema");
            foreach (var name in schemas.Distinct())
            {
                await CountAsync(database, connection, name, numbers);
            }
            for (var i = 0; i < options.Extra.Count; i++)
            {
                var place = (i + 1).ToString(CultureInfo.InvariantCulture);
                await numbers.TryAsync(["extra", place], () => QueryAsync(connection, options.Extra[i], numbers));
            }
        }
        catch (Exception error) when (error is DbException or IOException)
        {
            throw new StorageException(
                ErrorKind.StorageUnavailable, $"the database cannot be read: {error.Message}", error);
        }
        if (options.StatsdAddress is null && options.PushGateway is null)
        {
            numbers.Values.ForEach(number => output.WriteLine($"{Name(number.Parts)} {Text(number.Value)}"));
        }
        var isSent = await TrySendAsync(options, numbers);
        return isSent && numbers.Errors.Count == 0 ? ExitCodes.Fine : ExitCodes.Failed;
    }

    private static IEngine Read(string database)
    {
        const string option = "--db";
        var problems = new ConfigProblems();
        var open = database.StartsWith(Sqlite, StringComparison.Ordinal)
            ? StorageEngines.Read(option, "sqlite", new ConfigScalar(database[Sqlite.Length..], option), problems)
            : StorageEngines.Read(option, "postgres", Server(database, option), problems);
        return problems.Lines.Count == 0
            ? open!(new StoreSetup(NullLoggerFactory.Instance, "TaskService stats-db", IsReadOnly: true))
            : throw new ConfigException(problems.Lines);
    }

    private static ConfigMap Server(string connection, string option)
    {
        var map = new ConfigMap(option);
        map.Members.Add("primary", new ConfigScalar(connection, option));
        return map;
    }

    private static async Task CountAsync(
        SqlDatabase database, DbConnection connection, string schema, Numbers numbers)
    {
        if (!await database.HasSchemaAsync(connection, schema, CancellationToken.None))
        {
            await numbers.FailAsync([schema], "there is no such schema");
            return;
        }
        foreach (var table in await database.TablesAsync(connection, schema, CancellationToken.None))
        {
            await numbers.TryAsync([schema, table], async () => numbers.Add(
                [schema, table],
                await SqlDatabase.CountAsync(connection, schema, table, CancellationToken.None)));
        }
    }

    /// <summary>Adds the rows of a statement: a metric, whose parts are separated by dots, and a number.</summary>
    private static async Task QueryAsync(DbConnection connection, string sql, Numbers numbers)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        if (reader.FieldCount < 2)
        {
            throw new InvalidDataException("it must have two columns, a metric and its value");
        }
        for (var rows = 0; await reader.ReadAsync(CancellationToken.None); rows++)
        {
            if (rows == ExtraRowsMax)
            {
                throw new InvalidDataException($"it has more than {ExtraRowsMax} rows");
            }
            if (await reader.IsDBNullAsync(0, CancellationToken.None)
                || await reader.IsDBNullAsync(1, CancellationToken.None))
            {
                throw new InvalidDataException("a metric or its value is null");
            }
            var value = Convert.ToDouble(reader.GetValue(1), CultureInfo.InvariantCulture);
            if (!double.IsFinite(value))
            {
                throw new InvalidDataException("a value is not finite");
            }
            numbers.Add(
                Convert.ToString(reader.GetValue(0), CultureInfo.InvariantCulture)!.Split('.'), value);
        }
    }

    private static async Task<bool> TrySendAsync(StatsDbOptions options, Numbers numbers)
    {
        var isSent = true;
        foreach (var send in new Func<StatsDbOptions, Numbers, Task>[] { SendToStatsdAsync, PushAsync })
        {
            try
            {
                await send(options, numbers);
            }
            catch (Exception error) when (
                error is IOException or SocketException or HttpRequestException or TaskCanceledException)
            {
                isSent = false;
                await ExitCodes.FailAsync(error.Message);
            }
        }
        return isSent;
    }

    private static async Task SendToStatsdAsync(StatsDbOptions options, Numbers numbers)
    {
        if (options.StatsdAddress is null
            || !StatsdSettings.TryParse(options.StatsdAddress, out var host, out var port, out _))
        {
            return;
        }
        var prefix = options.StatsdPrefix.TrimEnd('.');
        // A packet for each line: not every receiver splits them.
        using var statsd = new StatsdExporter(
            new StatsdSettings(host, port, prefix.Length == 0 ? "" : $"{prefix}.", PacketBytesMax: 1));
        var gauges = numbers.Values.Select(
            number => new Metric(new MetricName(number.Parts), MetricKind.Gauge, number.Value));
        var errors = numbers.Errors.Select(
            parts => new Metric(new MetricName(["error", .. parts]), MetricKind.Counter, 1));
        await statsd.SendAsync([.. gauges, .. errors], CancellationToken.None);
    }

    /// <summary>
    /// Replaces the metrics of the job <c>db_counts</c>: see https://github.com/prometheus/pushgateway.
    /// </summary>
    private static async Task PushAsync(StatsDbOptions options, Numbers numbers)
    {
        if (options.PushGateway is not { } gateway)
        {
            return;
        }
        var body = new StringBuilder();
        AddMetric(body, "database_table_count", numbers.Values);
        AddMetric(body, "database_table_errors", numbers.Errors.Select(parts => (parts, 1.0)));
        // In base64 it may have a slash.
        var group = options.Instance.Length == 0 ? ""
            : options.Instance.Contains('/', StringComparison.Ordinal)
                ? $"/instance@base64/{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(options.Instance))}"
            : $"/instance/{Uri.EscapeDataString(options.Instance)}";
        using var client = new HttpClient { Timeout = PushTimeMax };
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body.ToString()));
        content.Headers.ContentType = MediaTypeHeaderValue.Parse("text/plain; version=0.0.4; charset=utf-8");
        using var answer = await client.PutAsync(
            new Uri($"{gateway.AbsoluteUri.TrimEnd('/')}/metrics/job/db_counts{group}"), content);
        if (!answer.IsSuccessStatusCode)
        {
            throw new IOException($"{gateway} answers {(int)answer.StatusCode}");
        }
    }

    // The text format of Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/
    private static void AddMetric(
        StringBuilder body, string name, IEnumerable<(IReadOnlyList<string> Parts, double Value)> numbers)
    {
        var isFirst = true;
        foreach (var (parts, value) in numbers)
        {
            body.Append(isFirst ? $"# TYPE {name} gauge\n" : "");
            isFirst = false;
            var label = Name(parts).Replace("\\", "\\\\", StringComparison.Ordinal)
                .Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
            body.Append(CultureInfo.InvariantCulture, $"{name}{{metric=\"{label}\"}} {Text(value)}\n");
        }
    }

    private static string Name(IReadOnlyList<string> parts) => string.Join('.', parts);

    private static string Text(double value) => value.ToString("0.######", CultureInfo.InvariantCulture);

    /// <summary>What was counted, and what could not be.</summary>
    private sealed class Numbers
    {
        public List<(IReadOnlyList<string> Parts, double Value)> Values { get; } = [];

        public List<IReadOnlyList<string>> Errors { get; } = [];

        public void Add(IReadOnlyList<string> parts, double value) => Values.Add((parts, value));

        /// <summary>Says that a number is missing; the others are still counted.</summary>
        public async Task FailAsync(IReadOnlyList<string> parts, string reason)
        {
            Errors.Add(parts);
            await ExitCodes.FailAsync($"{Name(parts)}: {reason}");
        }

        public async Task TryAsync(IReadOnlyList<string> parts, Func<Task> count)
        {
            try
            {
                await count();
            }
            catch (Exception error) when (error is DbException or InvalidDataException or FormatException
                or InvalidCastException or OverflowException or TimeoutException or IOException)
            {
                await FailAsync(parts, error.Message);
            }
        }
    }
}
