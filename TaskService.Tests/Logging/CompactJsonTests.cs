using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Serilog.Events;
using Serilog.Formatting.Compact;
using Serilog.Parsing;
using TaskService.Telemetry.Logging;
using TaskService.Tests.Support;

namespace TaskService.Tests.Logging;

/// <summary>The format <c>json</c>, and what <c>Serilog.Formatting.Compact</c> writes of the same events.</summary>
[Collection(nameof(SerilogHandlerTests))]
public sealed class CompactJsonTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Both_write_the_same_of_every_event()
    {
        await using (var service = await StartAsync(LogSome))
        {
            using var found = await service.SendAsync("GET", "/tasks?é=ü", null, ("User-Agent", "agent \"q\" \\"));
            using var refused = await service.SendAsync("POST", "/tasks", RunningService.Json("{"));
            await service.StopAsync();
        }
        var (ours, theirs) = (Read("ours"), Read("theirs"));
        Assert.Equal(theirs.Count, ours.Count);
        Assert.True(ours.Count > 15, $"{ours.Count} events");
        foreach (var (our, their) in ours.Zip(theirs))
        {
            Assert.Equal(their.Keys.Order(StringComparer.Ordinal), our.Keys.Order(StringComparer.Ordinal));
            foreach (var (name, value) in our.Where(member => member.Key != "@t"))
            {
                Assert.True(
                    JsonElement.DeepEquals(their[name], value), $"{our["@mt"]}, {name}: {value}, not {their[name]}");
            }
            // Each has asked for the time itself.
            var (time, other) = ($"{our["@t"]}", $"{their["@t"]}");
            Assert.Equal(other.Length, time.Length);
            Assert.InRange(Time(time) - Time(other), TimeSpan.FromMinutes(-1), TimeSpan.FromMinutes(1));
        }
    }

    [Fact]
    public async Task Messages_that_Serilog_writes_otherwise_have_their_text()
    {
        await using (var service = await StartAsync(logger =>
        {
            logger.LogWarning("took {Elapsed:0.00} ms", 1.5);
            logger.Log(LogLevel.Warning, default, "no {template}", null, (state, _) => state);
        }))
        {
            await service.StopAsync();
        }
        var events = Read("ours");
        Assert.Equal(("took {Elapsed:0.00} ms", "took 1.50 ms"), ($"{events[0]["@mt"]}", $"{events[0]["@m"]}"));
        Assert.Equal("no {template}", $"{events[1]["@m"]}");
        Assert.DoesNotContain("@mt", events[1].Keys);
    }

    // Of the provider of Serilog the sign would make an object of the value, and be gone.
    [Fact]
    public void A_name_that_begins_with_an_at_sign_gets_another()
    {
        var time = new DateTimeOffset(2026, 11, 20, 15, 29, 2, 243, TimeSpan.Zero);
        using var theirs = new StringWriter();
        new CompactJsonFormatter().Format(
            new Serilog.Events.LogEvent(
                time, LogEventLevel.Warning, null, new MessageTemplateParser().Parse("text"),
                [new("SourceContext", new ScalarValue("x")), new("@mt", new ScalarValue("mine"))]),
            theirs);
        var line = new Utf8Line();
        LogFormat.Create(new LogFormatSettings(LogFormatKind.Json)).Write(
            new Telemetry.Logging.LogEvent(
                time.UtcDateTime, "x", LogLevel.Warning, [new("message", "text"), new("@mt", "mine")], "text"),
            line);
        Assert.Equal(theirs.ToString().ReplaceLineEndings("\n"), Encoding.UTF8.GetString(line.Bytes));
    }

    private static void LogSome(ILogger logger)
    {
        foreach (var level in Enum.GetValues<LogLevel>().Where(level => level != LogLevel.None))
        {
            logger.Log(level, "of {Level}", level);
        }
        logger.LogInformation(
            "numbers {A} {B} {C} {D} {E} {F} {G}", 1, long.MinValue, 0.1, 1.1f, 1.25m, ulong.MaxValue, double.NaN);
        logger.LogInformation("{Big} {Small} {Whole} {Plus}", 1e300, 5e-324, 2.0, double.PositiveInfinity);
        logger.LogInformation(
            "times {Utc} {Local} {Offset} {Date} {Time}",
            new DateTime(2026, 11, 20, 15, 29, 2, DateTimeKind.Utc), new DateTime(2026, 11, 20),
            new DateTimeOffset(2026, 11, 20, 15, 29, 2, 243, TimeSpan.FromHours(2)), new DateOnly(2026, 11, 20),
            new TimeOnly(15, 29, 2));
        logger.LogInformation("{Null} {Yes} {No} {Guid} {Char}", null, true, false, Guid.Empty, 'c');
        logger.LogInformation("é {Text} {Lines} 😀", "ü\u2028\u0085\ufeff😀", "a\r\n\t\u0001\f\"\\");
        logger.LogInformation("{List} {Texts}", new[] { 1, 2 }, new List<string> { "a", "b" });
        logger.LogError(new InvalidDataException("broken\nin two"), "failed {Why}", "so");
        using (logger.BeginScope(new Dictionary<string, object?> { ["Tenant"] = "outer", ["N"] = 1 }))
        using (logger.BeginScope("step {Step}", 2))
        using (logger.BeginScope("plain"))
        {
            logger.LogInformation("in scopes {Own}", 1);
        }
    }

    private async Task<RunningService> StartAsync(Action<ILogger> log) => await RunningService.StartAsync(
        logging: $$"""
            logging:
              handlers:
                ours: { type: file, level: trace, path: '{{directory.File("ours")}}', format: json }
                theirs:
                  type: serilog
                  level: trace
                  sink: File
                  args:
                    path: '{{directory.File("theirs")}}'
                    formatter: Serilog.Formatting.Compact.CompactJsonFormatter, Serilog.Formatting.Compact
              loggers: { taskservice: { level: trace, handlers: [ours, theirs], propagate: false } }
              root: { level: none, handlers: [] }
            """,
        setup: builder => builder.Services.AddHostedService(services => new Logs(
            () => log(services.GetRequiredService<ILoggerFactory>().CreateLogger("taskservice.test")))));

    private List<Dictionary<string, JsonElement>> Read(string file) =>
    [
        .. LogFiles.WholeLines(directory.File(file)).Select(line => JsonElement.Parse(line)
            .EnumerateObject().ToDictionary(member => member.Name, member => member.Value)),
    ];

    private static DateTimeOffset Time(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);

    private sealed class Logs(Action log) : IHostedService
    {
        public Task StartAsync(CancellationToken cancel)
        {
            log();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancel) => Task.CompletedTask;
    }
}
