namespace TaskService.Configuration;

/// <summary>Which tokens are taken (RFC 7519).</summary>
/// <param name="Authority">
/// The URL of an OpenID Connect provider, which publishes its keys below it; empty where there is a key.
/// </param>
/// <param name="Audience">The <c>aud</c> that a token must have; empty for that of the section Authentication.</param>
/// <param name="Issuer">The <c>iss</c> that a token must have; empty for that of the authority.</param>
/// <param name="Key">For HMAC, of at least 32 bytes (RFC 7518 section 3.2); null where there is an authority.</param>
internal sealed record JwtSettings(string Authority, string Audience, string Issuer, byte[]? Key)
{
    private const string AuthorityKey = "authority";
    private const string AudienceKey = "audience";
    private const string IssuerKey = "issuer";
    private const string KeyKey = "key";
    private const int KeyBytesMin = 32;

    public static JwtSettings Read(ConfigSection section) => new(
        ReadAuthority(section), section.Text(AudienceKey, ""), section.Text(IssuerKey, ""), ReadKey(section));

    /// <summary>Reports what is missing; called where tokens are to be taken.</summary>
    /// <param name="section">That they were read from.</param>
    /// <param name="hasSchemes">Whether the section Authentication may have the rest.</param>
    public void Check(ConfigSection section, bool hasSchemes)
    {
        var (hasAuthority, hasKey) = (section.Find(AuthorityKey) is not null, section.Find(KeyKey) is not null);
        if (hasAuthority && hasKey)
        {
            section.Problem(KeyKey, $"stands beside {AuthorityKey}, which publishes the keys; leave out one of them");
        }
        else if (!hasAuthority && !hasKey && !hasSchemes)
        {
            section.Problem(
                "type",
                $"jwt needs {AuthorityKey} and {AudienceKey}, or {KeyKey}, {IssuerKey} and {AudienceKey}, or a section "
                + "Authentication: { Schemes: { Bearer: … } }");
        }
        else if (!hasSchemes && Audience.Length == 0)
        {
            section.Problem(AudienceKey, "is missing: tokens for other services would be taken");
        }
        else if (!hasSchemes && hasKey && Issuer.Length == 0)
        {
            section.Problem(IssuerKey, "is missing: the iss of tokens that are signed with the key");
        }
    }

    private static string ReadAuthority(ConfigSection section)
    {
        var text = section.Text(AuthorityKey, "");
        if (text.Length > 0 && !(Uri.TryCreate(text, UriKind.Absolute, out var uri)
            && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback))))
        {
            section.Problem(
                AuthorityKey, $"must be a URL such as https://login.example.org/realm, not \"{text}\"");
        }
        return text;
    }

    private static byte[]? ReadKey(ConfigSection section)
    {
        var text = section.Text(KeyKey, "", ConfigProblems.Masked);
        var bytes = new byte[text.Length];
        if (text.Length == 0)
        {
            return null;
        }
        if (!Convert.TryFromBase64String(text, bytes, out var length) || length < KeyBytesMin)
        {
            section.Problem(
                KeyKey, $"must be at least {KeyBytesMin} bytes in base64, such as dotnet user-jwts key shows");
        }
        return bytes[..length];
    }
}
