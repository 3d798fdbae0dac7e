using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using TaskService.Configuration;

namespace TaskService.Hosting;

/// <summary>
/// The certificate of the server. Its files are checked for changes when a client connects, once a second at most, so
/// that a renewal needs no reload. A pair that cannot be used leaves the last one in place.
/// </summary>
internal sealed partial class ServerCertificate
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private readonly Lock looking = new();
    private readonly TlsSettings files;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private volatile SslStreamCertificateContext current;
    private (string Cert, string Key) seen;
    private string said = "";
    private long lookedAt;

    /// <exception cref="IOException">A file cannot be read, or the pair cannot be used.</exception>
    public ServerCertificate(TlsSettings files, TimeProvider time, ILogger log)
    {
        (this.files, this.time, this.log) = (files, time, log);
        seen = ReadFiles();
        current = Load(seen.Cert, seen.Key);
        lookedAt = time.GetTimestamp();
    }

    /// <summary>The certificate for a handshake that begins now.</summary>
    public SslServerAuthenticationOptions ForHandshake()
    {
        if (time.GetElapsedTime(Volatile.Read(ref lookedAt)) >= LookEvery && looking.TryEnter())
        {
            try
            {
                Look();
            }
            finally
            {
                Volatile.Write(ref lookedAt, time.GetTimestamp());
                looking.Exit();
            }
        }
        return new SslServerAuthenticationOptions { ServerCertificateContext = current };
    }

    private void Look()
    {
        try
        {
            var found = ReadFiles();
            if (found == seen)
            {
                return;
            }
            seen = found;
            current = Load(found.Cert, found.Key);
            said = "";
            LogReloaded(files.Cert, current.TargetCertificate.NotAfter.ToUniversalTime());
        }
        catch (Exception error)
        {
            // Whatever it is, clients are shown the last one. Once, and not again each second.
            if (error.Message != said)
            {
                LogKept(said = error.Message);
            }
        }
    }

    private (string Cert, string Key) ReadFiles() => (ReadFile("cert", files.Cert), ReadFile("key", files.Key));

    private static string ReadFile(string key, string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            var reason = Directory.Exists(path) ? "it is a directory"
                : error is FileNotFoundException or DirectoryNotFoundException ? "no such file" : error.Message;
            throw Unusable(key, path, $"cannot be read: {reason}", error);
        }
    }

    private SslStreamCertificateContext Load(string cert, string key)
    {
        var chain = new X509Certificate2Collection();
        try
        {
            chain.ImportFromPem(cert);
        }
        catch (CryptographicException error)
        {
            throw Unusable("cert", files.Cert, "holds a damaged certificate", error);
        }
        if (chain.Count == 0)
        {
            throw Unusable("cert", files.Cert, "holds no certificate (-----BEGIN CERTIFICATE-----)");
        }
        var now = time.GetUtcNow();
        if (chain[0].NotAfter.ToUniversalTime() <= now)
        {
            throw Unusable("cert", files.Cert, $"expired at {chain[0].NotAfter.ToUniversalTime():u}");
        }
        if (chain[0].NotBefore.ToUniversalTime() > now)
        {
            throw Unusable("cert", files.Cert, $"is not valid before {chain[0].NotBefore.ToUniversalTime():u}");
        }
        CheckAlgorithm(chain[0].GetKeyAlgorithm());
        using var pair = WithKey(cert, key);
        chain.RemoveAt(0);
        try
        {
            // By way of PKCS #12, since Windows cannot use a key for TLS that was never in a store.
            var leaf = X509CertificateLoader.LoadPkcs12(pair.Export(X509ContentType.Pkcs12), null);
            return SslStreamCertificateContext.Create(leaf, chain, offline: true);
        }
        catch (Exception error) when (error is CryptographicException or NotSupportedException)
        {
            throw Unusable("cert", files.Cert, $"cannot be used: {error.Message}", error);
        }
    }

    private void CheckAlgorithm(string algorithm)
    {
        const string rsa = "1.2.840.113549.1.1.1";
        const string ecdsa = "1.2.840.10045.2.1";
        if (algorithm is not (rsa or ecdsa))
        {
            var name = algorithm switch
            {
                "1.2.840.10040.4.1" => "DSA",
                "1.2.840.113549.1.1.10" => "RSASSA-PSS",
                "1.3.101.112" => "Ed25519",
                "1.3.101.113" => "Ed448",
                _ => algorithm,
            };
            throw Unusable("cert", files.Cert, $"has a key of the type {name}, not RSA or ECDSA");
        }
    }

    private X509Certificate2 WithKey(string cert, string key)
    {
        // The second is a header of the older form, of which OpenSSL makes "BEGIN RSA PRIVATE KEY".
        if (key.Contains("-----BEGIN ENCRYPTED PRIVATE KEY-----", StringComparison.Ordinal)
            || key.Contains("4,ENCRYPTED", StringComparison.Ordinal))
        {
            throw Unusable("key", files.Key, "is encrypted with a password, which is not supported");
        }
        if (!key.Contains("PRIVATE KEY-----", StringComparison.Ordinal))
        {
            throw Unusable("key", files.Key, "holds no private key (-----BEGIN PRIVATE KEY-----)");
        }
        try
        {
            return X509Certificate2.CreateFromPem(cert, key);
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            throw Unusable("key", files.Key, $"is damaged, or not the key of {files.Cert}", error);
        }
    }

    private static IOException Unusable(string key, string path, string problem, Exception? error = null) =>
        new($"service.tls.{key}: {path} {problem}", error);

    [LoggerMessage(Level = LogLevel.Information, Message = "{File} was renewed, and expires at {Expires:u}")]
    private partial void LogReloaded(string file, DateTime expires);

    [LoggerMessage(Level = LogLevel.Error, Message = "the certificate is not renewed: {Problem}")]
    private partial void LogKept(string problem);
}
