namespace TaskService.Configuration;

/// <summary>The service as the network sees it.</summary>
/// <param name="Name">Stands in log lines as <c>service_name</c>.</param>
/// <param name="Addresses">Where it listens; the port of the first is that of the log.</param>
/// <param name="Tls">The certificate for HTTPS; null for plain HTTP.</param>
/// <param name="Proxies">Whose word on the client's address and scheme is taken.</param>
/// <param name="RequestIdHeader">A header that is looked at first for the id of a request; empty for none but the
/// usual.</param>
/// <param name="PreStopDelay">How long a stopping service still answers, so that balancers see that it is not
/// ready.</param>
/// <param name="ShutdownTimeMax">How long requests in flight may take to finish.</param>
internal sealed record ServiceSettings(
    string Name,
    IReadOnlyList<ListenAddress> Addresses,
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
        var tls = TlsSettings.Read(section.Section("tls"));
        return new ServiceSettings(
            name,
            ReadAddresses(section, tls is not null),
            tls,
            ProxySettings.Read(section),
            section.Text("request-id-header", ""),
            TimeSpan.FromMilliseconds(section.Integer("pre-stop-delay-ms", 0, 0, 600_000)),
            TimeSpan.FromMilliseconds(section.Integer("shutdown-time-max-ms", 20_000, 0, 600_000)));
    }

    private static List<ListenAddress> ReadAddresses(ConfigSection section, bool hasTls)
    {
        // A short form of URLs, which those have taken up; else both are reported already.
        section.Allow("address");
        section.Allow("port");
        var urls = section.Texts("urls");
        if (urls.Count == 0)
        {
            return [ReadAddress(section)];
        }
        var addresses = new List<ListenAddress>();
        foreach (var url in urls)
        {
            if (!ListenAddress.TryParse(url, out var address, out var problem))
            {
                section.Problem("urls", problem);
            }
            else if (address.IsHttps == true && !hasTls)
            {
                section.Problem("urls", $"\"{url}\" wants service.tls.cert and service.tls.key");
            }
            addresses.Add(address);
        }
        if (hasTls && addresses.All(address => address.IsHttps == false))
        {
            section.Problem("urls", "none is https://, but service.tls has a certificate");
        }
        return [.. addresses.Distinct()];
    }

    private static ListenAddress ReadAddress(ConfigSection section)
    {
        var text = section.Text("address", "0.0.0.0");
        var host = ListenAddress.HostOf(text);
        if (host is null)
        {
            section.Problem(
                "address", $"must be an IP address such as 0.0.0.0 or ::, localhost, or * for all, not \"{text}\"");
        }
        var port = (int)section.Integer("port", 8080, 0, 65_535);
        if (host == ListenAddress.Localhost && port == 0)
        {
            section.Problem(
                "port", "no free port is chosen for localhost, which is two addresses; name 127.0.0.1 or ::1");
        }
        return new ListenAddress(host ?? text, port);
    }
}
