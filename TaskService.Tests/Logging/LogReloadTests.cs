using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TaskService.Telemetry.Logging;
using TaskService.Tests.Support;

namespace TaskService.Tests.Logging;

/// <summary>Handlers that are exchanged while loggers write.</summary>
public sealed class LogReloadTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Each_line_that_is_logged_while_handlers_change_is_written_once()
    {
        const int threads = 4;
        var lines = TestRoot.Scale(5_000, 20_000);
        using (var logs = new LogSystem(To("a")))
        {
            var loggers = Enumerable.Range(0, threads).Select(id => new Thread(() =>
            {
                var logger = logs.CreateLogger("x");
                for (var i = 0; i < lines; i++)
                {
                    logger.LogInformation("{Text}", $"{id}.{i}");
                }
            })).ToList();
            loggers.ForEach(thread => thread.Start());
            for (var i = 0; loggers.Exists(thread => thread.IsAlive) || i < 4; i++)
            {
                logs.Apply(To(i % 2 == 0 ? "b" : "a"));
            }
            loggers.ForEach(thread => thread.Join());
        }
        var (a, b) = (Messages("a"), Messages("b"));
        Assert.NotEmpty(a);
        Assert.NotEmpty(b);
        var expected = Enumerable.Range(0, threads)
            .SelectMany(id => Enumerable.Range(0, lines).Select(i => $"{id}.{i}"));
        Assert.Equal(
            expected.Order(StringComparer.Ordinal), a.Concat(b).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_handler_that_cannot_be_opened_changes_nothing()
    {
        File.WriteAllText(directory.File("plain"), "");
        using (var logs = new LogSystem(To("a")))
        {
            Assert.Throws<IOException>(() => logs.Apply(To("new", "plain/below")));
            Assert.Equal("a", Assert.Single(logs.Settings.Handlers).Key);
            logs.CreateLogger("x").LogInformation("{Text}", "still");
        }
        Assert.Equal(["still"], Messages("a"));
        Assert.Equal("", File.ReadAllText(directory.File("new")));
    }

    [Fact]
    public void A_file_that_stays_is_not_opened_again_and_has_its_new_limits_level_and_name()
    {
        var settings = To("a");
        using (var logs = new LogSystem(settings))
        {
            var logger = logs.CreateLogger("x");
            logger.LogInformation("{Text}", "one");
            var handler = settings.Handlers["a"];
            logs.Apply(new LogSettings(
                new Dictionary<string, LogHandlerSettings>
                {
                    ["other"] = handler with
                    {
                        Level = LogLevel.Warning,
                        File = handler.File! with { BytesMax = 1, BackupCount = 5 },
                    },
                },
                settings.Loggers,
                settings.Root with { Handlers = ["other"] }));
            Assert.False(logger.IsEnabled(LogLevel.Information));
            logger.LogWarning("{Text}", "two");
            logger.LogWarning("{Text}", "three");
            Assert.Equal("other", Assert.Single(logs.Dropped).Key);
        }
        Assert.Equal(["three"], Messages("a"));
        Assert.Equal(["two"], Messages("a.1"));
        Assert.Equal(["one"], Messages("a.2"));
    }

    [Fact]
    public void A_provider_of_someone_else_stays_open_and_gets_the_loggers_that_name_it()
    {
        var lines = new Kept();
        var settings = With(lines, ["theirs"]);
        using var logs = new LogSystem(settings);
        var services = new ServiceCollection();
        services.AddLogging(logs.AddTo);
        using var built = services.BuildServiceProvider();
        var logger = built.GetRequiredService<ILoggerFactory>().CreateLogger("x");
        logger.LogWarning("1");
        logs.Apply(With(new Kept(), ["a"]));
        logger.LogWarning("2");
        logs.Apply(With(new Kept(), ["theirs"]));
        logger.LogWarning("3");
        logs.Apply(To("theirs"));
        logger.LogWarning("4");
        Assert.Equal(["1", "3"], lines.Lines);
        Assert.False(lines.IsDisposed);

        LogSettings With(Kept provider, string[] root)
        {
            var own = To("a");
            return own with
            {
                Handlers = own.Handlers.Append(KeyValuePair.Create("theirs", own.Handlers["a"] with
                {
                    File = null,
                    OpenProvider = (_, _) => provider,
                })).ToDictionary(),
                Root = own.Root with { Handlers = root },
            };
        }
    }

    private string[] Messages(string file) =>
        [.. File.ReadAllLines(directory.File(file)).Select(line => LogfmtLine.Parse(line)["message"]!)];

    private LogSettings To(params string[] files) => new(
        files.ToDictionary(name => name, name => new LogHandlerSettings(
            LogLevel.Trace,
            new LogFormatSettings(LogFormatKind.Logfmt),
            new LogFileSettings(directory.File(name), 0, 0))),
        new Dictionary<string, LoggerSettings>(),
        new LoggerSettings(LogLevel.Trace, files, Propagate: false));

    private sealed class Kept : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public bool IsDisposed { get; private set; }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => Lines.Enqueue(formatter(state, exception));

        public void Dispose() => IsDisposed = true;
    }
}
