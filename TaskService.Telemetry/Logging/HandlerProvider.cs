using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace TaskService.Telemetry.Logging;

/// <summary>Opens the log provider of someone else's that a handler is.</summary>
/// <param name="level">What is below is not written.</param>
/// <param name="failures">Takes what it could not write; of our handlers alone, so that it never comes back.</param>
public delegate ILoggerProvider OpenProvider(LogLevel level, ILogger failures);

/// <summary>A log provider of someone else's that is a handler: it gets what the loggers that name it log.</summary>
internal sealed class HandlerProvider(string name, LogSettings settings, ILoggerProvider provider)
    : ILoggerProvider, ISupportExternalScope
{
    private static readonly TimeSpan FlushTimeMax = TimeSpan.FromSeconds(5);

    public ILogger CreateLogger(string categoryName) => settings.HandlersOf(categoryName).Contains(name)
        ? provider.CreateLogger(categoryName)
        : NullLogger.Instance;

    public void SetScopeProvider(IExternalScopeProvider scopeProvider) =>
        (provider as ISupportExternalScope)?.SetScopeProvider(scopeProvider);

    /// <summary>Writes what waits, for five seconds at most: a receiver that hangs does not hold up the stop.</summary>
    public void Dispose()
    {
        try
        {
            Task.Run(provider.Dispose).Wait(FlushTimeMax);
        }
        catch (AggregateException)
        {
            // There is no handler any more to which it could be logged.
        }
    }
}
