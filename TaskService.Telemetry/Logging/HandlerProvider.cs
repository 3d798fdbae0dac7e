using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace TaskService.Telemetry.Logging;

/// <summary>Opens a third-party log provider as a handler.</summary>
/// <param name="level">Events below this level are not written.</param>
/// <param name="failures">Logs failed writes, to handlers of this library only, to prevent a loop.</param>
public delegate ILoggerProvider OpenProvider(LogLevel level, ILogger failures);

/// <summary>A third-party log provider as a handler: it gets the events of the loggers that name it.</summary>
internal sealed class HandlerProvider(string name, LogSettings settings, ILoggerProvider provider)
    : ILoggerProvider, ISupportExternalScope
{
    private static readonly TimeSpan FlushTimeMax = TimeSpan.FromSeconds(5);

    public ILogger CreateLogger(string categoryName) => settings.HandlersOf(categoryName).Contains(name)
        ? provider.CreateLogger(categoryName)
        : NullLogger.Instance;

    public void SetScopeProvider(IExternalScopeProvider scopeProvider) =>
        (provider as ISupportExternalScope)?.SetScopeProvider(scopeProvider);

    /// <summary>Flushes the provider, for five seconds at most, so that it cannot delay shutdown.</summary>
    public void Dispose()
    {
        try
        {
            Task.Run(provider.Dispose).Wait(FlushTimeMax);
        }
        catch (AggregateException)
        {
            // No handler is open any more to log this.
        }
    }
}
