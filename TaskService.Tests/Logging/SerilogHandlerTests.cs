using System.Net;
using System.Text;
using System.Text.Json;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Logging;

/// <summary>Sinks of Serilog as handlers: one test after the other, as SelfLog is one for all of Serilog.</summary>
[Collection(nameof(SerilogHandlerTests))]
public sealed class SerilogHandlerTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Seq_gets_each_line_of_the_loggers_that_name_it()
    {
        await using var seq = new SeqServer();
        await using (var service = await RunningService.StartAsync(logging: Logging(
            $"type: serilog, level: info, sink: Seq, args: {{ serverUrl: '{seq.Address}', apiKey: secret-key }}")))
        {
            for (var i = 0; i < 20; i++)
            {
                using var response = await service.SendAsync("GET", $"/tasks/{i}");
            }
            await service.StopAsync();
        }
        var events = seq.Events;
        Assert.Equal(
            ["STARTING", .. Enumerable.Repeat("RESPONSE", 20), "SHUTTING DOWN", "STOPPED"],
            events.Select(one => one.GetProperty("@mt").GetString()));
        var answer = events[1];
        Assert.Equal("Warning", answer.GetProperty("@l").GetString());
        Assert.Equal("taskservice", answer.GetProperty("SourceContext").GetString());
        Assert.Equal("/tasks/0", answer.GetProperty("uri").GetString());
        Assert.Equal(404, answer.GetProperty("status").GetInt32());
        Assert.Equal(JsonValueKind.Number, answer.GetProperty("time_ms").ValueKind);
        Assert.Equal(["secret-key"], seq.Keys.Distinct());
    }

    [Fact]
    public async Task A_logger_that_does_not_name_it_does_not_reach_it()
    {
        var path = directory.File("events");
        await using (var service = await RunningService.StartAsync(
            logging: $$"""
                logging:
                  handlers:
                    quiet: { type: console, level: none }
                    file: { type: serilog, sink: file, args: { path: '{{path}}' } }
                  loggers: { taskservice: { level: debug, handlers: [quiet], propagate: false } }
                  root: { level: debug, handlers: [file] }
                """))
        {
            using var response = await service.SendAsync("GET", "/tasks");
        }
        var lines = LogFiles.WholeLines(path);
        Assert.NotEmpty(lines);
        Assert.DoesNotContain(lines, line => line.Contains("RESPONSE", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("sink: Seq, args: { serverUrl: 'http://h', apiKye: a }",
        "args.apiKye: is no argument of Seq (did you mean \"apiKey\"?)")]
    [InlineData("sink: Sek, args: { serverUrl: 'http://h' }", "sink: \"Sek\" is not a sink (did you mean \"Seq\"?)")]
    [InlineData("sink: Kafka", "sink: \"Kafka\" is not a sink (allowed: Console, File, OpenTelemetry, Seq)")]
    [InlineData("args: { path: x }", "sink: \"\" is not a sink (allowed: Console, File, OpenTelemetry, Seq)")]
    [InlineData("sink: Seq", "args: Seq must have serverUrl, too")]
    [InlineData("sink: Seq, args: { serverUrl: 'http://h' }, format: json",
        "format: unknown key (allowed: type, level, sink, args)")]
    public void A_name_that_Serilog_does_not_know_is_a_problem(string handler, string problem)
    {
        var error = Assert.Throws<ConfigException>(() => Read(handler));
        Assert.Equal([$"c.yaml:1: logging.handlers.x.{problem}"], error.Problems);
    }

    [Theory]
    [InlineData("sink: Console, args: { standardErrorFromLevel: Lots }", "Console")]
    [InlineData("sink: Console, args: { formatter: 'No.Such, Thing' }", "Console")]
    [InlineData("sink: File, args: { path: /proc/no/such }", "File")]
    [InlineData("sink: Seq, args: { serverUrl: 's3cret' }", "Seq")]
    public async Task What_Serilog_cannot_open_ends_the_start_with_one_line(string handler, string sink)
    {
        var error = await Assert.ThrowsAsync<ConfigException>(
            () => TodoListHost.StartAsync(Read(handler), Program.Application(), CancellationToken.None));
        var line = Assert.Single(error.Problems);
        Assert.StartsWith(
            $"c.yaml:1: logging.handlers.x.sink: {sink} cannot be opened: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_argument_ends_the_process_with_78()
    {
        var yaml = directory.File("c.yaml");
        await File.WriteAllTextAsync(
            yaml, Yaml("sink: Seq, args: { serverUrl: 'http://h', apiKye: a }"), TestContext.Current.CancellationToken);
        using var process = ServiceProcess.Start(directory.Path, "-c", yaml);
        Assert.Equal(78, await process.ExitAsync());
        Assert.EndsWith("is no argument of Seq (did you mean \"apiKey\"?)", Assert.Single(process.Errors));
    }

    [Fact]
    public async Task A_sink_that_fails_later_is_a_warning_in_our_own_log()
    {
        await using var seq = new SeqServer { Status = HttpStatusCode.Forbidden };
        using var files = new LogFiles();
        await using var service = await RunningService.StartAsync(logging: files.Yaml
            .Replace("handlers: [brief,", "handlers: [x, brief,", StringComparison.Ordinal)
            .Replace(
                "  handlers:\n",
                $"  handlers:\n    x: {{ type: serilog, sink: Seq, args: {{ serverUrl: '{seq.Address}' }} }}\n",
                StringComparison.Ordinal));
        var line = await Until.ResultAsync(
            () => files.Read("brief").FirstOrDefault(line => line.Contains("SERILOG", StringComparison.Ordinal)),
            "a warning about the sink");
        Assert.Contains("taskservice.logs WARNING : message=\"SERILOG\" reason=\"", line, StringComparison.Ordinal);
        Assert.Contains("Forbidden", line, StringComparison.Ordinal);
        Assert.DoesNotContain(seq.Address.Authority, line, StringComparison.Ordinal);
    }

    [Fact]
    public void Arguments_are_not_shown()
    {
        var (_, source) = Settings.Read(
            "c.yaml",
            Yaml("sink: Seq, args: { serverUrl: 'http://h', apiKey: s3cret }"),
            new Dictionary<string, string> { ["TASKSERVICE__LOGGING__HANDLERS__X__ARGS__BATCH_POSTING_LIMIT"] = "77" },
            new CommandLineOptions());
        using var output = new StringWriter();
        source.Print(output);
        Assert.Contains("apiKey: \"***\"", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("batch-posting-limit: \"***\"", output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("77", output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("type: serilog, sink: File, args: { path: events }", true)]
    [InlineData("type: file, path: lines", false)]
    public async Task Serilog_is_loaded_for_its_handlers_alone(string handler, bool isLoaded)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs /proc");
        var yaml = directory.File("c.yaml");
        await File.WriteAllTextAsync(
            yaml,
            $$"""
            service: { address: 127.0.0.1, port: 0 }
            task-db: { memory: }
            logging:
              handlers: { c: { type: console }, x: { {{handler}} } }
              loggers: { taskservice: { level: info, handlers: [c, x], propagate: false } }
            """,
            TestContext.Current.CancellationToken);
        using var process = ServiceProcess.Start(directory.Path, "-c", yaml);
        using (var client = await process.ClientAsync())
        {
            using var response = await client.GetAsync(
                new Uri("/tasks", UriKind.Relative), TestContext.Current.CancellationToken);
        }
        var maps = await File.ReadAllTextAsync(
            $"/proc/{process.Id}/maps", TestContext.Current.CancellationToken);
        Assert.Contains("TaskService.dll", maps, StringComparison.Ordinal);
        Assert.Equal(isLoaded, maps.Contains("Serilog", StringComparison.OrdinalIgnoreCase));
    }

    private static string Logging(string handler) => $$"""
        logging:
          handlers: { x: { {{handler}} } }
          loggers: { taskservice: { level: debug, handlers: [x], propagate: false } }
          root: { level: warning, handlers: [] }
        """;

    private static string Yaml(string handler) =>
        $"{{ logging: {{ handlers: {{ x: {{ type: serilog, {handler} }} }} }}, "
        + "task-db: { memory: }, service: { address: 127.0.0.1, port: 0 } }";

    private static Settings Read(string handler) => Settings.Read(
        "c.yaml", Yaml(handler), new Dictionary<string, string>(), new CommandLineOptions()).Settings;

    /// <summary>Takes events as Seq does: a POST of compact JSON, one a line.</summary>
    private sealed class SeqServer : IAsyncDisposable
    {
        private readonly HttpListener listener = new();
        private readonly ReservedPort port = new();
        private readonly List<JsonElement> events = [];
        private readonly List<string?> keys = [];
        private readonly Task serving;

        public SeqServer()
        {
            Address = new Uri($"http://127.0.0.1:{port.Number}/");
            listener.Prefixes.Add($"{Address}");
            listener.Start();
            serving = ServeAsync();
        }

        public Uri Address { get; }

        public HttpStatusCode Status { get; init; } = HttpStatusCode.Created;

        public List<JsonElement> Events
        {
            get
            {
                lock (events)
                {
                    return [.. events];
                }
            }
        }

        public List<string?> Keys
        {
            get
            {
                lock (events)
                {
                    return [.. keys];
                }
            }
        }

        public async ValueTask DisposeAsync()
        {
            listener.Stop();
            await serving;
            listener.Close();
            port.Dispose();
        }

        private async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    var context = await listener.GetContextAsync();
                    using var reader = new StreamReader(context.Request.InputStream, Encoding.UTF8);
                    var body = await reader.ReadToEndAsync();
                    lock (events)
                    {
                        keys.Add(context.Request.Headers["X-Seq-ApiKey"]);
                        events.AddRange(body.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                            .Select(line => JsonElement.Parse(line)));
                    }
                    context.Response.StatusCode = (int)Status;
                    context.Response.Close();
                }
            }
            catch (Exception error) when (error is HttpListenerException or ObjectDisposedException)
            {
                // It was stopped.
            }
        }
    }
}
