using Microsoft.Extensions.Logging;

namespace TaskService.Telemetry.Logging;

/// <summary>Opens a third-party log provider as a handler.</summary>
/// <param name="level">Events below this level are not written.</param>
/// <param name="failures">Logs failed writes, to handlers of this library only, to prevent a loop.</param>
public delegate ILoggerProvider OpenProvider(LogLevel level, ILogger failures);

/// <summary>A third-party log provider as a handler: it gets the events of the loggers that name it.</summary>
internal sealed class HandlerProvider(string name, LogSystem logs, ILoggerProvider provider)
    : ILoggerProvider, ISupportExternalScope
{
    private static readonly TimeSpan FlushTimeMax = TimeSpan.FromSeconds(5);

    private LogSettings Settings => logs.Settings;

    public ILogger CreateLogger(string categoryName) =>
        new HandlerLogger(this, categoryName, provider.CreateLogger(categoryName));

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

    // Asks again when the settings are others than at the last event.
    private sealed class HandlerLogger(HandlerProvider handler, string category, ILogger inner) : ILogger
    {
        private volatile Route? route;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => IsRouted() ? inner.BeginScope(state) : null;

        public bool IsEnabled(LogLevel logLevel) => IsRouted() && inner.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (IsRouted())
            {
                inner.Log(logLevel, eventId, state, exception, formatter);
            }
        }

        private bool IsRouted()
        {
            var (settings, known) = (handler.Settings, route);
            if (known is null || !ReferenceEquals(known.Settings, settings))
            {
                route = known = new Route(settings, handler.Gets(category, settings));
            }
            return known.IsRouted;
        }

        private sealed record Route(LogSettings Settings, bool IsRouted);
    }

    // The name may be that of another type of handler by now.
    private bool Gets(string category, LogSettings settings) =>
        settings.Handlers.GetValueOrDefault(name)?.OpenProvider is not null
        && settings.HandlersOf(category).Contains(name);
}
