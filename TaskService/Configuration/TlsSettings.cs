namespace TaskService.Configuration;

/// <summary>The files of a certificate, in PEM (RFC 7468).</summary>
/// <param name="Cert">The certificate of the service, and after it those that lead to its root.</param>
/// <param name="Key">Its private key, without a password.</param>
internal sealed record TlsSettings(string Cert, string Key)
{
    /// <returns>Null when none is set: the service then speaks plain HTTP.</returns>
    public static TlsSettings? Read(ConfigSection section)
    {
        var tls = new TlsSettings(section.Text("cert", ""), section.Text("key", ""));
        if (tls.Cert.Length > 0 != tls.Key.Length > 0)
        {
            section.Problem(
                tls.Cert.Length > 0 ? "key" : "cert", "is missing: HTTPS takes a certificate and its key");
        }
        return tls.Cert.Length > 0 ? tls : null;
    }
}
