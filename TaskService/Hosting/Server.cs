using System.Net;
using System.Text;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using TaskService.Configuration;
using TaskService.Http;
using TaskService.Telemetry.Operations;

namespace TaskService.Hosting;

/// <summary>
/// The web server and its clients: where it listens, and which of the framework's defaults are not ours.
/// </summary>
internal static class Server
{
    public static void Configure(WebApplicationBuilder builder, ServiceSettings service, HttpSettings http)
    {
        // When to stop, and how long that may take, is decided by the program.
        builder.Services.AddSingleton<IHostLifetime, StopSignals.HostLifetime>();
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = Timeout.InfiniteTimeSpan);
        // What clients of the factory call sees which trace and request it belongs to.
        builder.Services.ConfigureHttpClientDefaults(client => client
            .UseSocketsHttpHandler(static (sockets, _) => sockets.ActivityHeadersPropagator = null)
            .AddHttpMessageHandler(() => new OperationHandler()));
        if (service.Tls is not null)
        {
            FailedHandshakes.AddTo(builder.Services);
        }
        // One pass through the socket fewer a request, 0.4 us; an idle connection holds a buffer of 4 KiB for it.
        builder.Services.Configure<SocketTransportOptions>(
            sockets => sockets.WaitForDataBeforeAllocatingBuffer = false);
        builder.Services.AddRouting().AddSingleton<MatcherPolicy, RawPathMatcherPolicy>()
            .AddSingleton<IStartupFilter, EndpointValidation>();
        builder.Services.ConfigureHttpJsonOptions(
            json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, ObjectJson.Default));
        RefusedStreams.AddTo(builder);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // Any byte may stand in a header; what it means is decided where it is used.
            kestrel.RequestHeaderEncodingSelector = _ => Encoding.Latin1;
            SetLimits(kestrel.Limits, http);
            var log = kestrel.ApplicationServices.GetRequiredService<ILogger<ServerCertificate>>();
            var certificate = service.Tls is { } files ? new ServerCertificate(files, TimeProvider.System, log) : null;
            foreach (var address in service.Addresses)
            {
                Listen(kestrel, address, listen => UseTls(listen, address.IsHttps == false ? null : certificate, http));
            }
        });
    }

    private static void Listen(KestrelServerOptions kestrel, ListenAddress address, Action<ListenOptions> configure)
    {
        switch (address.Host)
        {
            case ListenAddress.AnyHost:
                kestrel.ListenAnyIP(address.Port, configure);
                break;
            case ListenAddress.Localhost:
                kestrel.ListenLocalhost(address.Port, configure);
                break;
            default:
                kestrel.Listen(IPAddress.Parse(address.Host), address.Port, configure);
                break;
        }
    }

    private static void UseTls(ListenOptions listen, ServerCertificate? certificate, HttpSettings http)
    {
        if (certificate is null)
        {
            return;
        }
        listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = http.HeaderTimeMax,
            OnConnection = _ => ValueTask.FromResult(certificate.ForHandshake()),
        });
    }

    private static void SetLimits(KestrelServerLimits limits, HttpSettings http)
    {
        // Bodies are limited where they are read, so that a client that sends too much gets a response.
        limits.MaxRequestBodySize = null;
        limits.MaxRequestLineSize = http.RequestLineBytesMax;
        if (limits.MaxRequestBufferSize is { } bytes)
        {
            limits.MaxRequestBufferSize = Math.Max(bytes, http.RequestLineBytesMax);
        }
        limits.MaxRequestHeadersTotalSize = http.HeaderBytesMax;
        limits.MaxRequestHeaderCount = http.HeadersMax;
        limits.MaxConcurrentConnections = http.ConnectionsMax;
        limits.RequestHeadersTimeout = http.HeaderTimeMax;
        limits.KeepAliveTimeout = http.IdleTimeMax;
        var rate = new MinDataRate(http.BytesPerSecondMin, TimeSpan.FromSeconds(5));
        (limits.MinRequestBodyDataRate, limits.MinResponseDataRate) = (rate, rate);
    }
}

/// <summary>
/// The JSON of <see cref="object"/>, which each endpoint looks up when it is built. Reflection would make that of all
/// simple types with it.
/// </summary>
[JsonSerializable(typeof(object))]
internal sealed partial class ObjectJson : JsonSerializerContext;
