using System.Globalization;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Configuration;

/// <summary>
/// A canary in every setting: what a person may have put a password into is never shown, whether it is right or wrong.
/// </summary>
public sealed class SecretTests
{
    internal const string Canary = "s3cretCanary";

    internal const string All = """
        service: { tls: { cert: a.pem, key: b.pem } }
        logging:
          formatters: { audit: { format: logfmt, fields: [time] } }
          handlers:
            c: { type: console, format: audit }
            f: { type: file, path: x.log }
            s: { type: serilog, sink: Seq, args: { serverUrl: u, apiKey: k } }
          loggers: { taskservice: { level: info, handlers: [c, f, s], propagate: false } }
          root: { level: info, handlers: [c] }
        telemetry:
          event-samples: { request: { of: .x, rate: 1 } }
          exporters:
            json: { type: json, path: y }
            statsd: { type: statsd }
            otlp: { type: otlp, traces: { endpoint: 'http://h' }, metrics: { endpoint: 'http://h' } }
        task-db:
        """;

    // What these are given is shown, since it helps and is no secret. A setting that is not here and shows what it is
    // given fails the test: mask it, or add it.
    private static readonly string[] NoSecrets =
    [
        "service.name", "service.address", "service.port", "service.urls", "service.tls.cert", "service.tls.key",
        "service.trusted-proxies", "service.forwarded-header", "service.request-id-header",
        "service.pre-stop-delay-ms", "service.shutdown-time-max-ms",
        "http.*", "logging.formatters.*", "logging.loggers.*", "logging.root.*", "logging.handlers.*.type",
        "logging.handlers.*.level", "logging.handlers.*.format", "logging.handlers.*.path", "logging.handlers.*.sink",
        "logging.handlers.*.max-bytes", "logging.handlers.*.backup-count",
        "telemetry.trace-probability", "telemetry.propagation", "telemetry.statistics", "telemetry.log-events",
        "telemetry.event-samples.request.of", "telemetry.event-samples.request.rate",
        "telemetry.exporters.*.type", "telemetry.exporters.*.path", "telemetry.exporters.*.records-max",
        "telemetry.exporters.*.bytes-max", "telemetry.exporters.*.batch-records-max",
        "telemetry.exporters.*.batch-delay-max-ms", "telemetry.exporters.*.attempts-max",
        "telemetry.exporters.*.attempt-time-max-ms", "telemetry.exporters.*.close-time-max-ms",
        "telemetry.exporters.*.max-bytes", "telemetry.exporters.*.backup-count", "telemetry.exporters.*.meters",
        "telemetry.exporters.*.meters-interval-ms", "telemetry.exporters.statsd.address",
        "telemetry.exporters.statsd.prefix", "telemetry.exporters.statsd.tags",
        "telemetry.exporters.statsd.packet-bytes-max", "telemetry.exporters.*.protocol",
        "telemetry.exporters.otlp.temporality", "telemetry.exporters.*.compression",
        "operations.base-path", "operations.port", "operations.secret-in-query", "operations.meters",
        "task-db.fs", "task-db.sqlite", "task-db.postgres.pool-size", "task-db.postgres.command-timeout",
        "task-db.postgres.force-primary", "task-db.postgres.force-replica",
        "task-db.postgres.read-your-writes-wait-max-ms", "task-db.postgres.request-id-in-application-name",
    ];

    // Nowhere is the user information of a URL shown.
    internal static readonly string[] Urls =
    [
        $"http://me:{Canary}@h:4318/v1?x=1", $"http://{Canary}@h", $"HTTP://me:a@{Canary}@h",
        $"postgres://me:{Canary}@h/db?sslmode=require", $"postgres://me:a/{Canary}@h/db",
    ];

    internal static readonly string[] Secrets =
    [
        Canary, $"me:{Canary}@h:1", $"http:/me:{Canary}@h", $"http:\\\\me:{Canary}@h", $"http://h/?key={Canary}",
        $"http://h/#{Canary}", $"key={Canary}", $"Authorization=Basic {Canary}", $"Host=h;Password={Canary}",
        $"Host=h;PWD='{Canary}'", $"Host=h;SSL Password={Canary}", $"Host=h;Options=-c a.b={Canary}",
        $"Host=h;Password=a;{Canary}", $"Host=h;Password=a;{Canary}=b", $"Host=h;Password=a;{Canary};Database=b",
        $"Host=h;Password='a{Canary}", $"Host=h;Port={Canary}", $"Host=h;SSL Mode={Canary}", $"Host=h:{Canary}",
        $"Host=me:{Canary}@h", $"Host=h;Target Session Attributes={Canary}", $"Host=h;Require Auth={Canary}",
        $"host=h password={Canary}", $"password={Canary} host=h", $"host=h user='me' password='{Canary}'",
        $"Username=me password={Canary};Host=h", $"={Canary}",
    ];

    public static TheoryData<string> Engines =>
    [
        "memory:",
        "fs: d",
        "sqlite: f",
        "postgres: { primary: 'Host=h', replica: 'Host=r', force-primary: [a] }",
    ];

    [Theory]
    [MemberData(nameof(Engines))]
    public void No_setting_shows_a_secret_that_it_is_given(string engine)
    {
        var yaml = $"{All} {{ {engine} }}";
        var paths = Paths(Show(yaml));
        Assert.Superset(
            new HashSet<string>(
            [
                "service.name", "telemetry.exporters.json.path", "logging.root.level", "logging.handlers.s.args.apiKey",
            ]),
            paths.ToHashSet());
        // What is no setting of the engine is the same with each of them.
        var isFirst = engine == "memory:";
        foreach (var path in paths.Where(path => path.StartsWith("task-db.", StringComparison.Ordinal) != isFirst))
        {
            foreach (var value in IsNoSecret(path) ? Urls : Urls.Concat(Secrets))
            {
                var shown = Show(yaml, (Variable(path), value));
                Assert.False(
                    shown.Contains(Canary, StringComparison.OrdinalIgnoreCase), $"{path}: {value} is shown:\n{shown}");
            }
        }
    }

    [Theory]
    [InlineData("ASPNETCORE_URLS")]
    [InlineData("HTTP_PORTS")]
    [InlineData("PORT")]
    [InlineData("OTEL_SERVICE_NAME")]
    [InlineData("OTEL_TRACES_SAMPLER")]
    public void No_variable_shows_the_user_of_a_URL(string variable) => Assert.All(
        Urls, value => Assert.DoesNotContain(Canary, Show($"{All} {{ memory: }}", (variable, value))));

    [Theory]
    [InlineData("-c", $"http://me:{Canary}@h/c.yaml")]
    [InlineData($"postgres://me:{Canary}@h/db")]
    [InlineData("copy", "--from", $"postgres://me:{Canary}@h/db", "--to", "fs:x")]
    [InlineData("copy", "--from", $"postgres:{{ primary: 'Host=h;Password=a;{Canary}=b' }}", "--to", "fs:x")]
    public async Task No_argument_is_shown_with_a_secret(params string[] args)
    {
        using var directory = new TemporaryDirectory();
        using var process = ServiceProcess.Start(directory.Path, args);
        Assert.NotEqual(0, await process.ExitAsync());
        Assert.NotEmpty(process.Errors);
        Assert.All(process.Errors.Concat(process.Output), line => Assert.DoesNotContain(Canary, line));
    }

    /// <summary>What is printed of a configuration, or what is wrong with it.</summary>
    internal static string Show(string yaml, params (string Name, string Value)[] variables)
    {
        try
        {
            var (_, source) = Settings.Read(
                "c.yaml", yaml, variables.ToDictionary(one => one.Name, one => one.Value), new CommandLineOptions());
            using var output = new StringWriter(CultureInfo.InvariantCulture);
            source.Print(output);
            return output.ToString();
        }
        catch (ConfigException error)
        {
            return string.Join('\n', error.Problems);
        }
    }

    /// <summary>The path of each setting that is printed.</summary>
    private static List<string> Paths(string printed)
    {
        var (paths, levels) = (new List<string>(), new List<string>());
        foreach (var line in printed.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var depth = line.TakeWhile(c => c == ' ').Count() / 2;
            levels.RemoveRange(depth, levels.Count - depth);
            levels.Add(line.Trim().Split(':')[0]);
            if (line.Contains("  # ", StringComparison.Ordinal))
            {
                paths.Add(string.Join('.', levels));
            }
        }
        return paths;
    }

    private static string Variable(string path) => EnvironmentConfig.Prefix
        + path.Replace(".", "__", StringComparison.Ordinal).Replace('-', '_').ToUpperInvariant();

    private static bool IsNoSecret(string path) => NoSecrets.Any(pattern => pattern.Split('*') switch
    {
        [var whole] => path == whole,
        [var start, var end] => path.StartsWith(start, StringComparison.Ordinal)
            && path.EndsWith(end, StringComparison.Ordinal),
        _ => throw new InvalidOperationException(pattern),
    });
}
