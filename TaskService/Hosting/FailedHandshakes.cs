using System.Diagnostics.Metrics;

namespace TaskService.Hosting;

/// <summary>
/// Counts TLS handshakes that fail, and logs them once a minute at most: a certificate that no client accepts is seen
/// in no other way. The server gives the reason to its logger only, at debug; so this is a log provider, which gets
/// nothing else.
/// </summary>
/// <param name="services">Gives the logger, which cannot be made before the providers of all loggers.</param>
/// <param name="time">Says when a minute is over.</param>
internal sealed partial class FailedHandshakes(IServiceProvider services, TimeProvider time) : ILoggerProvider, ILogger
{
    /// <summary>How long failures are counted for one line.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

    private const string Category = "Microsoft.AspNetCore.Server.Kestrel.Https.Internal.HttpsConnectionMiddleware";

    // The time limit of the handshake is over; there is no exception. The event is AuthenticationTimedOut.
    private const int TimedOut = 2;

    private static readonly Meter Meter = new("TaskService");

    private static readonly Counter<long> Failures = Meter.CreateCounter<long>(
        "taskservice.tls.handshake.failures", "{handshake}", "TLS handshakes that failed, by the type of the error.");

    private readonly Lock gate = new();
    private ITimer? timer;
    private bool isTimerSet;
    private long count;
    private string reason = "";

    /// <summary>Has the server's reasons handed to this provider.</summary>
    public static void AddTo(IServiceCollection services)
    {
        services.AddSingleton<ILoggerProvider, FailedHandshakes>();
        services.Configure<LoggerFilterOptions>(options =>
        {
            var provider = typeof(FailedHandshakes).FullName;
            options.Rules.Add(new LoggerFilterRule(provider, null, LogLevel.None, null));
            options.Rules.Add(new LoggerFilterRule(provider, Category, LogLevel.Debug, null));
        });
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel == LogLevel.Debug;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        if (exception is not null || eventId.Id == TimedOut)
        {
            Take(exception ?? new TimeoutException("it took longer than http.header-time-max-ms"));
        }
    }

    public void Dispose() => timer?.Dispose();

    private void Take(Exception error)
    {
        lock (gate)
        {
            count++;
            reason = error.GetBaseException().Message;
            if (!isTimerSet)
            {
                Report();
            }
        }
        Failures.Add(1, new KeyValuePair<string, object?>("error.type", error.GetType().FullName));
    }

    private void Report()
    {
        isTimerSet = true;
        timer?.Dispose();
        timer = time.CreateTimer(_ => ReportRest(), null, Every, Timeout.InfiniteTimeSpan);
        LogFailures(services.GetRequiredService<ILogger<FailedHandshakes>>(), count, reason);
        count = 0;
    }

    // Those that came after the one that was logged at once.
    private void ReportRest()
    {
        lock (gate)
        {
            isTimerSet = false;
            if (count > 0)
            {
                Report();
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} TLS handshakes failed, the last one: {Reason}")]
    private static partial void LogFailures(ILogger log, long count, string reason);
}
