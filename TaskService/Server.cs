using System.Text;

namespace TaskService;

/// <summary>The web server: where it listens, and which of its defaults are not ours.</summary>
internal static class Server
{
    public static void Configure(WebApplicationBuilder builder, ServiceSettings settings)
    {
        // When to stop, and how long that may take, is decided by the program.
        builder.Services.AddSingleton<IHostLifetime, StopSignals.HostLifetime>();
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = Timeout.InfiniteTimeSpan);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // Bodies are limited where they are read, so that who sends too much gets an answer.
            kestrel.Limits.MaxRequestBodySize = null;
            // Any byte may stand in a header; what it means is decided where it is used.
            kestrel.RequestHeaderEncodingSelector = _ => Encoding.Latin1;
            kestrel.Listen(settings.Address, settings.Port);
        });
    }
}
