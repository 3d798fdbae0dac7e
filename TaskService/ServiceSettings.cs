using System.Net;
using TaskService.Configuration;

namespace TaskService;

/// <summary>The service as the network sees it.</summary>
/// <param name="Name">Stands in log lines as <c>service_name</c>.</param>
/// <param name="Address">The address to listen on.</param>
/// <param name="Port">0 takes a free one.</param>
/// <param name="Tls">The certificate for HTTPS; null for plain HTTP.</param>
/// <param name="Proxies">Whose word on the client's address and scheme is taken.</param>
/// <param name="RequestIdHeader">A header that is looked at first for the id of a request; empty for none but the
/// usual.</param>
/// <param name="PreStopDelay">How long a stopping service still answers, so that balancers see that it is not
/// ready.</param>
/// <param name="ShutdownTimeMax">How long requests in flight may take to finish.</param>
internal sealed record ServiceSettings(
    string Name,
    IPAddress Address,
    int Port,
    TlsSettings? Tls,
    ProxySettings Proxies,
    string RequestIdHeader,
    TimeSpan PreStopDelay,
    TimeSpan ShutdownTimeMax)
{
    public static ServiceSettings Read(ConfigSection section)
    {
        var name = section.Text("name", "TodoList");
        if (string.IsNullOrWhiteSpace(name))
        {
            section.Problem("name", "must not be empty");
        }
        var address = section.Text("address", "0.0.0.0");
        if (!IPAddress.TryParse(address, out var parsed))
        {
            section.Problem("address", $"must be an IP address such as 0.0.0.0, 127.0.0.1 or ::, not \"{address}\"");
        }
        return new ServiceSettings(
            name,
            parsed ?? IPAddress.Any,
            (int)section.Integer("port", 8080, 0, 65_535),
            TlsSettings.Read(section.Section("tls")),
            ProxySettings.Read(section),
            section.Text("request-id-header", ""),
            TimeSpan.FromMilliseconds(section.Integer("pre-stop-delay-ms", 0, 0, 600_000)),
            TimeSpan.FromMilliseconds(section.Integer("shutdown-time-max-ms", 20_000, 0, 600_000)));
    }
}
