using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Telemetry.Logging;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sql;

/// <summary>The log of the SQL profiler in a file, for a profiler without a service.</summary>
internal sealed class ProfilerLog : IDisposable
{
    private readonly LogFiles files;
    private readonly LogSystem logs;

    /// <param name="level">Of the service's logger.</param>
    public ProfilerLog(string level = "debug")
    {
        files = new LogFiles(level);
        var (settings, _) = Settings.Read(
            "test.yaml",
            $"task-db: {{ memory: }}\n{files.Yaml}",
            new Dictionary<string, string>(),
            new CommandLineOptions());
        logs = new LogSystem(settings.Logging);
        Loggers = LoggerFactory.Create(logging => logging.AddProvider(logs).Services.Configure<LoggerFilterOptions>(
            levels => LoggingSettings.SetLevels(levels, settings.Logging)));
    }

    public ILoggerFactory Loggers { get; }

    /// <summary>Waits until so many lines with this message are there.</summary>
    public Task<List<LogfmtLine>> LinesAsync(string message, int count) => LinesAsync(files, message, count);

    /// <inheritdoc cref="LinesAsync(string, int)"/>
    public static Task<List<LogfmtLine>> LinesAsync(LogFiles files, string message, int count) => Until.ResultAsync(
        () =>
        {
            var lines = files.Read("logfmt").Where(IsOfProfiler).Select(LogfmtLine.Parse)
                .Where(line => line["message"] == message).ToList();
            return lines.Count >= count ? lines : null;
        },
        $"{count} lines {message}",
        () => string.Join('\n', files.Read("logfmt").Where(IsOfProfiler)));

    public void Dispose()
    {
        Loggers.Dispose();
        logs.Dispose();
        files.Dispose();
    }

    private static bool IsOfProfiler(string line) =>
        line.Contains("logger=\"taskservice.sql_profiler\"", StringComparison.Ordinal);
}
